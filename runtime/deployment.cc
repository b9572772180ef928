#include "runtime/deployment.h"

#include <algorithm>
#include <set>

#include "runtime/task_builder.h"
#include "state/protocol/job_tasks.h"

namespace millrace {

namespace {

class ForwardingEvents final : public TaskEvents {
 public:
  ForwardingEvents(DeploymentEvents& events, TaskId task) : events_(events), task_(task) {}
  void running() override { events_.running(task_); }
  void snapshot_taken(int64_t checkpoint_id, bool finished, std::vector<SnapshotPartPtr> parts) override {
    events_.snapshot_taken(task_, checkpoint_id, finished, std::move(parts));
  }
  void finished() override { events_.finished(task_); }
  void failed(const std::string& step, const Error& error) override { events_.failed(task_, step, error); }

 private:
  DeploymentEvents& events_;
  TaskId task_;
};

}  // namespace

class DeploymentBuilder {
 public:
  explicit DeploymentBuilder(Deployment& out)
      : out_(out), graph_(*out.config_.graph), plan_(make_physical_plan(*out.config_.graph)) {}

  Status build() {
    const std::vector<TaskId> tasks = tasks_of(plan_);
    const uint32_t slots = slots_needed(tasks);
    MR_TRY(check_placement(slots));
    slot_workers_.resize(slots);
    for (uint32_t slot = 0; slot < slots; ++slot) {
      if (!here(slot)) continue;
      out_.workers_.push_back(std::make_unique<Worker>(*out_.config_.clock));
      slot_workers_[slot] = out_.workers_.back().get();
    }
    for (const TaskId id : tasks) {
      if (here(id.subtask)) out_.task_ids_.push_back(id);
    }
    out_.config_.alignment = std::make_shared<SourceAlignment>();
    for (const Chain& chain : plan_.chains) parts_.emplace_back().resize(chain.parallelism);
    for (const TaskId id : out_.task_ids_) {
      MR_ASSIGN(parts_[id.chain][id.subtask],
                build_task({.config = out_.config_, .plan = plan_, .id = id, .waker = waker(id)}));
    }
    for (uint32_t edge = 0; edge < plan_.edges.size(); ++edge) connect(edge);
    for (const TaskId id : out_.task_ids_) {
      auto events = std::make_unique<ForwardingEvents>(*out_.config_.events, id);
      slot_workers_[id.subtask]->add(
          std::make_unique<Task>(std::move(parts_[id.chain][id.subtask]), *out_.config_.clock, std::move(events)));
    }
    if (out_.config_.remote) {
      align_sources();
      out_.config_.remote->open();
    }
    return {};
  }

 private:
  Status check_placement(uint32_t slots) const {
    const Placement& placement = out_.config_.placement;
    if (placement.slots.empty()) return {};
    if (placement.slots.size() < slots) {
      return make_error(ErrorCode::kBadMessage, "the job needs " + std::to_string(slots) + " slots and was given " +
                                                    std::to_string(placement.slots.size()));
    }
    const bool alone = std::ranges::all_of(placement.slots, [&](uint32_t owner) { return owner == placement.member; });
    if (alone || out_.config_.remote) return {};
    return make_error(ErrorCode::kInternal, "the job has slots elsewhere, and nothing connects them");
  }

  /// Sources with `max_drift` wait for those of the other members too.
  void align_sources() {
    const auto takes_part = [&](const Node& node) {
      return node.source && node.source->event_time.max_drift_ms >= 0 && node.source->event_time.column >= 0;
    };
    if (out_.workers_.empty() || std::ranges::none_of(graph_.nodes, takes_part)) return;
    std::set<uint32_t> others;
    for (uint32_t slot = 0; slot < slot_workers_.size(); ++slot) {
      if (!here(slot)) others.insert(owner(slot));
    }
    if (others.empty()) return;
    out_.config_.alignment->report_others(INT64_MIN);
    out_.config_.remote->align(out_.config_.alignment, {others.begin(), others.end()});
  }

  bool here(uint32_t slot) const { return out_.config_.placement.here(slot); }
  uint32_t owner(uint32_t slot) const { return out_.config_.placement.owner(slot); }
  Waker& waker(TaskId id) { return slot_workers_[id.subtask]->waker(); }

  static uint64_t producer_id(uint32_t node, uint32_t subtask) { return (uint64_t{node} + 1) << 32 | subtask; }

  void connect(uint32_t number) {
    const PhysicalEdge& edge = plan_.edges[number];
    const uint32_t producers = plan_.chains[edge.from_chain].parallelism;
    const uint32_t consumers = plan_.chains[edge.to_chain].parallelism;
    const SchemaPtr& schema = graph_.nodes[edge.from_node].outputs[edge.port].schema;
    for (uint32_t from = 0; from < producers; ++from) {
      std::vector<ChannelOutput*> channels;
      const std::vector<uint32_t> targets = edge_targets(edge.partitioning, producers, from, consumers);
      for (const uint32_t to : targets) {
        const ChannelKey key{number, from, to};
        const Ends ends = connect(edge, key, schema);
        if (ends.input) {
          parts_[edge.to_chain][to].gate->add(ends.input, edge.to_input, producer_id(edge.from_node, from), key,
                                              !may_be_overtaken(edge.partitioning));
        }
        if (ends.output) channels.push_back(ends.output);
      }
      if (!here(from)) continue;
      EdgeConfig config{.node = edge.from_node,
                        .port = edge.port,
                        .partitioning = edge.partitioning,
                        .key_columns = edge.key_columns,
                        .schema = schema,
                        .max_parallelism = graph_.settings.max_parallelism,
                        .buffer_timeout_ms = graph_.settings.buffer_timeout_ms,
                        .edge = number,
                        .subtask = from,
                        .consumers = targets,
                        .flush_rows = std::min(graph_.settings.batch_rows, kBatchRowsMax)};
      parts_[edge.from_chain][from].outputs.add(std::make_unique<EdgeOutput>(std::move(config), std::move(channels)));
    }
  }

  /// The ends of one channel that are in this process.
  struct Ends {
    ChannelOutput* output = nullptr;
    ChannelInput* input = nullptr;
  };
  Ends connect(const PhysicalEdge& edge, const ChannelKey& key, const SchemaPtr& schema) {
    Ends ends;
    if (here(key.from) && here(key.to)) {
      out_.channels_.push_back(std::make_unique<Channel>(out_.config_.channel_bytes));
      Channel* channel = out_.channels_.back().get();
      channel->connect(&waker({edge.from_chain, key.from}), &waker({edge.to_chain, key.to}));
      ends = {channel, channel};
    } else if (here(key.from)) {
      ends.output = out_.config_.remote->output(key, owner(key.to), schema, &waker({edge.from_chain, key.from}));
    } else if (here(key.to)) {
      ends.input = out_.config_.remote->input(key, owner(key.from), schema, &waker({edge.to_chain, key.to}));
    }
    return ends;
  }

  Deployment& out_;
  const JobGraph& graph_;
  PhysicalPlan plan_;
  std::vector<std::vector<TaskParts>> parts_;  // [chain][subtask]; empty ones run elsewhere
  std::vector<Worker*> slot_workers_;          // null: the slot is elsewhere
};

Result<std::unique_ptr<Deployment>> Deployment::make(DeploymentConfig config) {
  std::unique_ptr<Deployment> deployment(new Deployment(std::move(config)));
  MR_TRY(DeploymentBuilder(*deployment).build());
  return deployment;
}

Deployment::~Deployment() {
  stop();
  config_.remote.reset();  // wakes workers until then
}

void Deployment::start() {
  for (const auto& worker : workers_) worker->start();
}

void Deployment::trigger_checkpoint(int64_t checkpoint_id, bool final) {
  for (const auto& worker : workers_) worker->trigger_checkpoint(checkpoint_id, final);
}

void Deployment::overtake(int64_t checkpoint_id) {
  for (const auto& worker : workers_) worker->overtake(checkpoint_id);
}

void Deployment::checkpoint_completed(int64_t checkpoint_id) {
  for (const auto& worker : workers_) worker->checkpoint_completed(checkpoint_id);
}

void Deployment::end_input() {
  for (const auto& worker : workers_) worker->end_input();
}

void Deployment::hold_sources(bool hold) {
  for (const auto& worker : workers_) worker->hold_sources(hold);
}

void Deployment::tap(const std::string& step, uint32_t rows, int64_t for_ms,
                     const std::function<void(std::vector<std::string>)>& take) {
  const Node* node = config_.graph->find(step);
  if (node == nullptr || node->outputs.empty()) return;
  const auto number = static_cast<uint32_t>(node - config_.graph->nodes.data());
  for (const auto& worker : workers_) {
    worker->add_tap(
        std::make_shared<Tap>(number, node->outputs[0].schema, rows, config_.clock->wall_ms() + for_ms, take));
  }
}

void Deployment::stop() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
}

bool Deployment::run_once() {
  bool progressed = false;
  for (const auto& worker : workers_) progressed = worker->run_once() || progressed;
  return progressed;
}

int64_t Deployment::next_wakeup_ms() const {
  int64_t next = INT64_MAX;
  for (const auto& worker : workers_) next = std::min(next, worker->next_wakeup_ms());
  return next;
}

}  // namespace millrace
