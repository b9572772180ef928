#include "testing/job_under_test.h"

#include <algorithm>

#include "core/simulated_file_system.h"
#include "plan/option_reader.h"
#include "state/snapshot_file.h"

namespace millrace {
namespace {

constexpr const char* kFeedConnector = "test_feed";
constexpr const char* kCaptureConnector = "test_capture";
constexpr const char* kJobDirectory = "/job";

/// In place of `throttle`: the clock of a test stands still, so whoever waits for it would wait for ever.
class UnthrottledOperator final : public Operator {
 public:
  Status open(const OperatorContext& /*context*/) override { return {}; }
  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    out.emit(0, std::move(batch));
    return Flow::kNeedInput;
  }
};

/// The json format with its defaults.
FormatConfig json_format(const Registry& registry) {
  FormatConfig format;
  format.name = "json";
  Diagnostics diagnostics;
  const auto found = registry.plan.formats.find("json");
  if (found != registry.plan.formats.end()) {
    format.options = read_options(Located{}, found->second.options, "format", diagnostics);
  }
  return format;
}

/// "per_user.late" into node and port name.
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t dot = name.find('.');
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

void use_feed(Node& node, const FormatConfig& format) {
  auto config = std::make_shared<SourceConfig>(*node.source);
  config->connector = kFeedConnector;
  const OnError bad_record = config->format.name.empty() ? OnError::kFail : config->format.bad_record;
  config->format = format;
  config->format.bad_record = bad_record;
  config->rate_limit = 0;
  config->event_time.emit = WatermarkEmit::kRecord;
  config->event_time.idle_timeout_ms = -1;
  config->event_time.max_drift_ms = -1;
  for (SourceColumn& column : config->columns) {
    column.path = {column.name};  // tests name columns, whatever the record looks like
    column.time_format.clear();   // and write times as epoch milliseconds or ISO text
  }
  node.source = std::move(config);
  node.parallelism = 1;
}

}  // namespace

JobUnderTest::JobUnderTest(JobGraph graph, const Registry& registry)
    : graph_(std::move(graph)), fs_(std::make_unique<SimulatedFileSystem>()) {
  registry_.factories = registry.factories;
  replace_connectors(registry);
}

JobUnderTest::~JobUnderTest() = default;

void JobUnderTest::replace_connectors(const Registry& registry) {
  const FormatConfig format = json_format(registry);
  graph_.settings.buffer_timeout_ms = 0;
  for (Node& node : graph_.nodes) {
    if (node.kind == NodeKind::kSource) {
      use_feed(node, format);
      feeds_[node.id] = std::make_shared<Feed>();
    } else if (node.kind == NodeKind::kSink) {
      auto config = std::make_shared<SinkConfig>(*node.sink);
      config->connector = kCaptureConnector;
      config->cuts_back = true;  // captured rows go back with the state; nothing is committed
      config->format = format;
      changelogs_[node.id] = config->changelog;
      node.sink = std::move(config);
    }
  }
  registry_.factories.operators["throttle"] = [](const Node&, const JobGraph&) -> Result<OperatorPtr> {
    return std::make_unique<UnthrottledOperator>();
  };
  // The runtime hands out configurations only, so which source or sink asks is told by its address.
  registry_.factories.sources[kFeedConnector] = [this](const SourceConfig& config,
                                                       const Registry&) -> Result<SourceReaderPtr> {
    for (const Node& node : graph_.nodes) {
      if (node.source.get() == &config) return make_feed_reader(feeds_.at(node.id));
    }
    return make_error(ErrorCode::kInternal, "a source without a feed");
  };
  registry_.factories.sinks[kCaptureConnector] = [this](const SinkConfig& config,
                                                        const Registry&) -> Result<SinkWriterPtr> {
    for (const Node& node : graph_.nodes) {
      if (node.sink.get() != &config) continue;
      MR_ASSIGN(EncoderPtr encoder,
                registry_.factories.encoders.at("json")(config.format, config.schema, config.changelog));
      return make_capture_writer(capture_, node.id, std::move(encoder));
    }
    return make_error(ErrorCode::kInternal, "a sink without a capture");
  };
}

Status JobUnderTest::observe(const std::string& name) {
  if (changelogs_.contains(name)) return {};  // a sink, captured anyway
  const auto [id, port_name] = split_name(name);
  for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
    if (graph_.nodes[n].id != id) continue;
    for (uint32_t p = 0; p < graph_.nodes[n].outputs.size(); ++p) {
      const Port& port = graph_.nodes[n].outputs[p];
      if (port.name != port_name) continue;
      auto config = std::make_shared<SinkConfig>();
      config->connector = kCaptureConnector;
      config->format.name = "json";
      for (const Node& other : graph_.nodes) {
        if (other.sink) config->format = other.sink->format;
      }
      config->schema = port.schema;
      config->changelog = port.changelog;
      Node sink;
      sink.kind = NodeKind::kSink;
      sink.id = name;
      sink.type = kCaptureConnector;
      sink.inputs.push_back({n, p, Partitioning::kForward, {}});
      sink.parallelism = graph_.nodes[n].parallelism;
      sink.sink = config;
      changelogs_[name] = port.changelog;
      graph_.nodes.push_back(std::move(sink));
      return {};
    }
  }
  return make_error(ErrorCode::kUnknownName, "`" + name + "` is no source, step, sink or side output of this job");
}

Result<std::unique_ptr<JobUnderTest>> JobUnderTest::make(const JobGraph& graph,
                                                         const std::vector<std::string>& observed,
                                                         const Registry& registry) {
  std::unique_ptr<JobUnderTest> job(new JobUnderTest(graph, registry));
  for (const std::string& name : observed) MR_TRY(job->observe(name));
  MR_TRY(job->deploy());
  return job;
}

Status JobUnderTest::deploy() {
  deployment_.reset();
  DeploymentConfig config;
  config.graph = std::shared_ptr<const JobGraph>(std::shared_ptr<void>(), &graph_);
  config.registry = &registry_;
  config.job_id = "test";
  config.clock = &clock_;
  config.events = this;
  if (completed_id_ > 0) {
    MR_ASSIGN(config.restored,
              RestoredSnapshots::open(*fs_, kJobDirectory, completed_, graph_.settings.max_parallelism));
  }
  MR_ASSIGN(deployment_, Deployment::make(std::move(config)));
  return settle();
}

Status JobUnderTest::settle() {
  while (failure_ && deployment_->run_once()) {
  }
  return failure_;
}

Status JobUnderTest::advance_clock(int64_t by_ms) {
  const int64_t until = clock_.wall_ms() + by_ms;
  MR_TRY(settle());
  // In steps of the timers on the way, so that each fires at its own time.
  for (int64_t next = deployment_->next_wakeup_ms(); next <= until; next = deployment_->next_wakeup_ms()) {
    if (next > clock_.wall_ms()) clock_.advance_ms(next - clock_.wall_ms());
    const int64_t before = clock_.wall_ms();
    MR_TRY(settle());
    if (deployment_->next_wakeup_ms() <= before) break;
  }
  clock_.advance_ms(until - clock_.wall_ms());
  return settle();
}

void JobUnderTest::snapshot_taken(TaskId task, int64_t checkpoint_id, bool /*finished*/,
                                  std::vector<SnapshotPartPtr> parts) {
  SnapshotFileWriter writer(*fs_, kJobDirectory, snapshot_file_name(checkpoint_id, 1, task),
                            graph_.settings.max_parallelism);
  for (const SnapshotPartPtr& part : parts) {
    if (Status status = part->write(writer); !status && failure_) failure_ = std::move(status);
  }
  Result<SnapshotHandle> handle = writer.finish(task);
  if (handle) {
    taken_.push_back(std::move(*handle));
  } else if (failure_) {
    failure_ = std::unexpected(std::move(handle).error());
  }
}

void JobUnderTest::failed(TaskId /*task*/, const std::string& step, const Error& error) {
  if (failure_) failure_ = std::unexpected(Error(error).with_context("step `" + step + "`"));
}

Status JobUnderTest::checkpoint() {
  MR_TRY(settle());
  taken_.clear();
  deployment_->trigger_checkpoint(++checkpoint_id_, false);
  MR_TRY(settle());
  if (taken_.size() != deployment_->tasks().size()) {
    return make_error(ErrorCode::kInternal, std::to_string(taken_.size()) + " of " +
                                                std::to_string(deployment_->tasks().size()) +
                                                " tasks took part in a checkpoint");
  }
  completed_ = taken_;
  completed_id_ = checkpoint_id_;
  capture_->mark();
  deployment_->checkpoint_completed(checkpoint_id_);
  return settle();
}

Status JobUnderTest::crash() {
  capture_->rewind();
  return deploy();
}

Status JobUnderTest::restore(uint32_t parallelism) {
  MR_TRY(checkpoint());
  if (parallelism > 0) {
    for (Node& node : graph_.nodes) {
      const bool global = std::any_of(node.inputs.begin(), node.inputs.end(), [](const NodeInput& input) {
        return input.partitioning == Partitioning::kGlobal;
      });
      if (node.kind != NodeKind::kSource && !global) node.parallelism = parallelism;
    }
  }
  return deploy();
}

}  // namespace millrace
