#include "runtime/task_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/file_system.h"
#include "core/storage.h"
#include "runtime/exactly_once/epoch_writer.h"

namespace millrace {

namespace {

Labels step_labels(const TaskBuild& build, const std::string& step) {
  return {{"job_id", build.config.job_id},
          {"job_name", build.config.graph->name},
          {"step", step},
          {"subtask", std::to_string(build.id.subtask)}};
}

/// Series of one step in one subtask; null handles without a registry.
class StepSeries {
 public:
  StepSeries(const TaskBuild& build, const std::string& step)
      : registry_(build.config.metrics), labels_(step_labels(build, step)) {}

  MetricPtr counter(const char* name, const char* help, Labels more = {}) const {
    return make(MetricKind::kCounter, name, help, std::move(more));
  }
  HistogramPtr histogram(const char* name, const char* help, std::vector<double> bounds) const {
    if (registry_ == nullptr) return nullptr;
    return std::make_shared<Histogram>(*registry_, name, help, labels_, std::move(bounds));
  }
  MetricPtr gauge(const char* name, const char* help) const { return make(MetricKind::kGauge, name, help, {}); }

 private:
  MetricPtr make(MetricKind kind, const char* name, const char* help, Labels more) const {
    if (registry_ == nullptr) return nullptr;
    Labels labels = labels_;
    labels.insert(labels.end(), more.begin(), more.end());
    return registry_->metric(kind, name, help, std::move(labels));
  }
  MetricRegistry* registry_;
  Labels labels_;
};

int32_t find_port(const Node& node, std::string_view name) {
  for (size_t p = 0; p < node.outputs.size(); ++p) {
    if (node.outputs[p].name == name) return static_cast<int32_t>(p);
  }
  return -1;
}

/// The output port of chain node `index` that feeds the next node of the chain; -1 at its end.
int32_t chained_port(const JobGraph& graph, const Chain& chain, size_t index) {
  if (index + 1 >= chain.nodes.size()) return -1;
  for (const NodeInput& input : graph.nodes[chain.nodes[index + 1]].inputs) {
    if (input.node == chain.nodes[index]) return static_cast<int32_t>(input.port);
  }
  return -1;
}

SourceMetrics source_metrics(const StepSeries& series) {
  return {
      .records = series.counter("millrace_step_records_in_total", "Rows or records that the step took."),
      .bytes = series.counter("millrace_step_bytes_in_total", "Bytes that the step took."),
      .bad = series.counter("millrace_step_errors_total", "Rows or records that failed.", {{"reason", "bad_record"}}),
      .dead_letters = series.counter("millrace_step_dead_letter_records_total", "Rows routed to dead_letter."),
      .skipped = series.counter("millrace_source_tombstones_total", "Records without a value, skipped."),
      .ahead = series.counter("millrace_source_ahead_records_total", "Rows beyond max_ahead."),
      .held_splits = series.gauge("millrace_source_held_splits", "Splits that wait for others because of max_drift."),
  };
}

Result<std::unique_ptr<SourceTask>> build_source(const TaskBuild& build, const Node& node) {
  const Factories& factories = build.config.registry->factories;
  const SourceConfig& source = *node.source;
  const auto make_reader = factories.sources.find(source.connector);
  if (make_reader == factories.sources.end()) {
    return make_error(ErrorCode::kUnknownConnector, "no source connector `" + source.connector + "` in this build");
  }
  MR_ASSIGN(SourceReaderPtr reader, make_reader->second(source, *build.config.registry));
  DecoderPtr decoder;
  if (!source.format.name.empty()) {
    const auto make_decoder = factories.decoders.find(source.format.name);
    if (make_decoder == factories.decoders.end()) {
      return make_error(ErrorCode::kUnknownConnector, "no decoder `" + source.format.name + "` in this build");
    }
    MR_ASSIGN(decoder, make_decoder->second(source.format, decode_columns(source)));
  }
  SourceTaskConfig config;
  config.step = node.id;
  config.source = node.source;
  config.schema = node.outputs[0].schema;
  config.dead_letter_port = find_port(node, "dead_letter");
  config.ahead_port = find_port(node, "ahead");
  if (source.event_time.max_drift_ms >= 0 && source.event_time.column >= 0) {
    config.alignment = build.config.alignment;
    config.alignment_member = config.alignment->join();
  }
  config.batch_rows = std::min(build.config.graph->settings.batch_rows, kBatchRowsMax);
  config.context = {.source = node.id,
                    .job_name = build.config.graph->name,
                    .subtask = build.id.subtask,
                    .parallelism = build.plan.chains[build.id.chain].parallelism,
                    .clock = build.config.clock,
                    .waker = &build.waker,
                    .until_done = build.config.until_done,
                    .restored = build.config.restored != nullptr,
                    .splits = {},
                    .metrics = build.config.metrics,
                    .labels = step_labels(build, node.id)};
  return std::make_unique<SourceTask>(std::move(config), std::move(reader), std::move(decoder),
                                      source_metrics(StepSeries(build, node.id)));
}

Status build_operator(const TaskBuild& build, const Node& node, Stage& stage, OperatorContext& context) {
  const auto& operators = build.config.registry->factories.operators;
  const auto make_operator = operators.find(node.type);
  if (make_operator == operators.end()) {
    return make_error(ErrorCode::kNotSupportedYet, "no operator `" + node.type + "` in this build");
  }
  MR_ASSIGN(stage.op, make_operator->second(node, *build.config.graph));
  const StepSeries series(build, node.id);
  context.step = node.id;
  context.subtask = build.id.subtask;
  context.parallelism = build.plan.chains[build.id.chain].parallelism;
  context.max_parallelism = build.config.graph->settings.max_parallelism;
  context.key_groups = key_group_range(context.max_parallelism, context.parallelism, context.subtask);
  context.clock = build.config.clock;
  context.waker = &build.waker;
  context.restored = build.config.restored.get();
  context.states = &node.states;
  context.metrics = {
      .late_records = series.counter("millrace_step_late_records_total", "Rows behind the watermark."),
      .errors =
          series.counter("millrace_step_errors_total", "Rows or records that failed.", {{"reason", "evaluation"}}),
      .dead_letter_records = series.counter("millrace_step_dead_letter_records_total", "Rows routed to dead_letter."),
      .no_window = series.counter("millrace_step_no_window_records_total", "Rows that belong to no window."),
      .state_keys = series.gauge("millrace_step_state_keys", "Keys in the step's state."),
      .state_bytes = series.gauge("millrace_step_state_bytes", "Memory of the step's state."),
  };
  return {};
}

/// The store of the task's operators; nothing where state stays in memory.
Result<std::unique_ptr<TaskStore>> build_store(const TaskBuild& build, const Chain& chain) {
  const JobGraph& graph = *build.config.graph;
  const bool operators =
      std::ranges::any_of(chain.nodes, [&](uint32_t node) { return graph.nodes[node].kind == NodeKind::kOperator; });
  if (!operators || !build.config.state || graph.settings.state_backend == StateBackend::kMemory) return nullptr;
  TaskStore::Config config;
  config.backend = graph.settings.state_backend;
  config.instance = fmt::format("{:016x}c{}s{}", build.config.owner.incarnation, build.id.chain, build.id.subtask);
  config.directory = build.config.job_id + "-" + config.instance;
  config.root = [state = build.config.state] { return state->directory(); };
  config.budget = build.config.state->budget();
  config.memory = build.config.state->memory();
  config.key_groups = key_group_range(graph.settings.max_parallelism, chain.parallelism, build.id.subtask);
  config.waker = &build.waker;
  config.restored = build.config.restored.get();
  return TaskStore::make(std::move(config));
}

class ForwardingSinkEvents final : public SinkEvents {
 public:
  ForwardingSinkEvents(DeploymentEvents& events, TaskId task, std::string sink)
      : events_(events), task_(task), sink_(std::move(sink)) {}
  void restored_settled() override { events_.sink_restored_settled(task_, sink_); }
  void epoch_settled(int64_t epoch) override { events_.sink_epoch_settled(task_, sink_, epoch); }
  void failed(const Error& error) override { events_.failed(task_, sink_, error); }

 private:
  DeploymentEvents& events_;
  TaskId task_;
  std::string sink_;
};

Result<SinkWriterPtr> make_sink_writer(const TaskBuild& build, const SinkConfig& sink) {
  const Registry& registry = *build.config.registry;
  if (sink.settles_epochs()) {
    const auto make_target = registry.factories.exactly_once.find(sink.connector);
    if (make_target == registry.factories.exactly_once.end()) {
      return make_error(ErrorCode::kNotSupportedYet,
                        "`" + sink.connector + "` cannot deliver exactly_once in this build");
    }
    MR_ASSIGN(ExactlyOnceTargetPtr target, make_target->second(sink, registry));
    return make_epoch_writer(std::move(target), storage());
  }
  const auto make_writer = registry.factories.sinks.find(sink.connector);
  if (make_writer == registry.factories.sinks.end()) {
    return make_error(ErrorCode::kUnknownConnector, "no sink connector `" + sink.connector + "` in this build");
  }
  return make_writer->second(sink, registry);
}

Status build_sink(const TaskBuild& build, const Node& node, Stage& stage, TaskParts::StageContext& stage_context) {
  SinkContext& context = stage_context.sink;
  MR_ASSIGN(stage.sink, make_sink_writer(build, *node.sink));
  if (build.config.wrap_sink) stage.sink = build.config.wrap_sink(node, std::move(stage.sink));
  context.sink = node.id;
  context.job_name = build.config.graph->name;
  context.job_id = build.config.job_id;
  context.subtask = build.id.subtask;
  context.parallelism = build.plan.chains[build.id.chain].parallelism;
  context.clock = build.config.clock;
  context.waker = &build.waker;
  context.restored = build.config.restored.get();
  context.metrics = build.config.metrics;
  context.labels = step_labels(build, node.id);
  context.owner = build.config.owner;
  context.rules = build.config.lane_rules;
  context.job_directory = build.config.job_directory;
  context.restored_checkpoint = build.config.restored_checkpoint;
  context.retained_checkpoints = build.config.graph->settings.checkpoint.retain;
  if (build.config.events != nullptr) {
    stage_context.sink_events = std::make_shared<ForwardingSinkEvents>(*build.config.events, build.id, node.id);
    context.events = stage_context.sink_events.get();
  }
  return {};
}

TaskMetrics task_metrics(const StepSeries& series) {
  const char* name = "millrace_step_time_seconds_total";
  const char* help = "Time of the subtask by what it did.";
  return {.busy_seconds = series.counter(name, help, {{"state", "busy"}}),
          .idle_seconds = series.counter(name, help, {{"state", "idle"}}),
          .blocked_seconds = series.counter(name, help, {{"state", "backpressured"}}),
          .queue_usage = series.gauge("millrace_step_queue_usage_ratio", "Fill of the fullest channel."),
          .alignment_seconds =
              series.gauge("millrace_checkpoint_alignment_seconds", "Wait for barriers at the last checkpoint.")};
}

}  // namespace

Result<TaskParts> build_task(const TaskBuild& build) {
  const JobGraph& graph = *build.config.graph;
  const Chain& chain = build.plan.chains[build.id.chain];
  TaskParts parts;
  parts.restored = build.config.restored.get();
  parts.keep = build.config.restored;
  parts.id = build.id;
  parts.parallelism = chain.parallelism;
  parts.in_edges = chain.in_edges;
  parts.edges = in_flight_edges(graph, build.plan, chain);
  MR_ASSIGN(parts.store, build_store(build, chain));
  parts.metrics = task_metrics(StepSeries(build, graph.nodes[chain.nodes[0]].id));
  for (size_t i = 0; i < chain.nodes.size(); ++i) {
    const Node& node = graph.nodes[chain.nodes[i]];
    Stage stage;
    TaskParts::StageContext context;
    stage.node = chain.nodes[i];
    stage.step = node.id;
    stage.chained_port = chained_port(graph, chain, i);
    const StepSeries series(build, node.id);
    stage.records_out = series.counter("millrace_step_records_out_total", "Rows that the step emitted.");
    stage.watermark = series.gauge("millrace_step_watermark_timestamp_seconds", "The step's watermark.");
    if (node.kind != NodeKind::kSource) {
      stage.records_in = series.counter("millrace_step_records_in_total", "Rows or records that the step took.");
    }
    if (node.kind == NodeKind::kSink) {
      stage.latency = series.histogram("millrace_step_latency_seconds",
                                       "Wall clock less event time of the rows that a sink has taken.",
                                       {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600});
    }
    switch (node.kind) {
      case NodeKind::kSource: {
        MR_ASSIGN(parts.source, build_source(build, node));
        break;
      }
      case NodeKind::kOperator:
        MR_TRY(build_operator(build, node, stage, context.op));
        context.op.store = parts.store.get();
        break;
      case NodeKind::kSink:
        MR_TRY(build_sink(build, node, stage, context));
        break;
    }
    parts.stages.push_back(std::move(stage));
    parts.contexts.push_back(std::move(context));
  }
  if (!parts.source) parts.gate = std::make_unique<InputGate>(graph.settings.checkpoint.exactly_once);
  return parts;
}

}  // namespace millrace
