#include "plan/plan_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/option_text.h"

namespace millrace {

namespace {

OutputDelay source_delay(const SourceConfig& source) {
  OutputDelay delay;
  const EventTimeConfig& time = source.event_time;
  if (time.column < 0) return delay;
  delay.out_of_orderness_ms = time.out_of_orderness_ms;
  if (time.emit == WatermarkEmit::kInterval) delay.watermark_interval_ms = time.emit_interval_ms;
  return delay;
}

}  // namespace

std::string_view node_kind_name(NodeKind kind) {
  switch (kind) {
    case NodeKind::kSource:
      return "source";
    case NodeKind::kOperator:
      return "step";
    case NodeKind::kSink:
      return "sink";
  }
  return "node";
}

std::string_view changelog_name(Changelog changelog) {
  switch (changelog) {
    case Changelog::kAppend:
      return "append";
    case Changelog::kUpsert:
      return "upsert";
    case Changelog::kRetract:
      return "retract";
  }
  return "unknown";
}

std::string_view partitioning_name(Partitioning partitioning) {
  switch (partitioning) {
    case Partitioning::kForward:
      return "forward";
    case Partitioning::kHash:
      return "hash";
    case Partitioning::kGlobal:
      return "global";
    case Partitioning::kBroadcast:
      return "broadcast";
    case Partitioning::kRebalance:
      return "rebalance";
  }
  return "unknown";
}

std::string exchange_text(const JobGraph& graph, const Node& to, const NodeInput& input) {
  const Node& from = graph.nodes[input.node];
  if (input.partitioning == Partitioning::kForward && from.parallelism != to.parallelism) return "rebalance";
  std::string text(partitioning_name(input.partitioning));
  if (input.partitioning != Partitioning::kHash) return text;
  const Schema& schema = *from.outputs[input.port].schema;
  std::string names;
  for (uint32_t column : input.key_columns) names += (names.empty() ? "" : ", ") + schema.fields[column].name;
  return fmt::format("{}({})", text, names);
}

std::string watermark_text(const SourceConfig& source) {
  const EventTimeConfig& time = source.event_time;
  if (time.column < 0) return "none; the record's own timestamp is the event time";
  std::string text = fmt::format("highest `{}`", source.columns[static_cast<size_t>(time.column)].name);
  if (time.out_of_orderness_ms > 0) text += " - " + format_duration(time.out_of_orderness_ms);
  text += " - 1ms, ";
  switch (time.emit) {
    case WatermarkEmit::kInterval:
      text += "every " + format_duration(time.emit_interval_ms);
      break;
    case WatermarkEmit::kBatch:
      text += "after every batch";
      break;
    case WatermarkEmit::kRecord:
      text += "after every row";
      break;
  }
  if (time.idle_timeout_ms >= 0) text += "; partitions idle after " + format_duration(time.idle_timeout_ms);
  if (time.max_ahead_ms >= 0)
    text += fmt::format("; rows more than {} ahead do not count", format_duration(time.max_ahead_ms));
  return text;
}

OutputDelay output_delay(const JobGraph& graph, const Node& sink) {
  std::vector<OutputDelay> delays;  // of what leaves each node; the greatest where paths meet
  for (const Node& node : graph.nodes) {
    OutputDelay greatest;
    if (node.kind == NodeKind::kSource) greatest = source_delay(*node.source);
    for (const NodeInput& input : node.inputs) {
      if (delays[input.node].total_ms() >= greatest.total_ms()) greatest = delays[input.node];
    }
    greatest.window_ms += node.delay_ms;
    delays.push_back(greatest);
    if (&node == &sink) break;
  }
  OutputDelay delay = delays.back();
  if (delay.window_ms == 0) delay = {};  // nothing waits for the watermark
  if (sink.sink != nullptr && sink.sink->delivery == Delivery::kExactlyOnce) {
    delay.commit_ms = graph.settings.checkpoint.interval_ms;
  }
  return delay;
}

std::string delay_text(const OutputDelay& delay) {
  if (delay.total_ms() == 0) return "none: rows pass as they come";
  std::string parts;
  auto add = [&](std::string_view name, int64_t ms) {
    if (ms > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : " + ", name, format_duration(ms));
  };
  add("window", delay.window_ms);
  add("out_of_orderness", delay.out_of_orderness_ms);
  add("watermark every", delay.watermark_interval_ms);
  add("commit every", delay.commit_ms);
  return fmt::format("up to {} ({})", format_duration(delay.total_ms()), parts);
}

std::string columns_read_text(const SourceConfig& source) {
  const auto used = std::ranges::count_if(source.columns, &SourceColumn::used);
  const size_t all = source.columns.size();
  return static_cast<size_t>(used) == all ? fmt::format("all {} columns read", all)
                                          : fmt::format("{} of {} columns read", used, all);
}

}  // namespace millrace
