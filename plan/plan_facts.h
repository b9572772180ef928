// Facts about a planned job that people ask for: names of things, delays. Shared by the forms of `millrace plan`.
#pragma once

#include <string>
#include <string_view>

#include "plan/job_graph.h"

namespace millrace {

std::string_view node_kind_name(NodeKind kind);
std::string_view changelog_name(Changelog changelog);
std::string_view partitioning_name(Partitioning partitioning);
/// "hash(user_id)", "forward", "rebalance" (forward between different parallelisms).
std::string exchange_text(const JobGraph& graph, const Node& to, const NodeInput& input);
/// "highest `event_time` - 5s - 1ms, every 200ms; partitions idle after 30s", or "none".
std::string watermark_text(const SourceConfig& source);

/// How long after its event time the last row of a result may leave through this sink, from what the job itself waits
/// for: windows, out-of-orderness, the watermark's interval, commits.
struct OutputDelay {
  int64_t window_ms = 0;
  int64_t out_of_orderness_ms = 0;
  int64_t watermark_interval_ms = 0;
  int64_t commit_ms = 0;

  [[nodiscard]] int64_t total_ms() const { return window_ms + out_of_orderness_ms + watermark_interval_ms + commit_ms; }
};
/// REQUIRES: `sink` is a node of `graph`.
OutputDelay output_delay(const JobGraph& graph, const Node& sink);
std::string delay_text(const OutputDelay& delay);

/// "4 of 5", or "all 5".
std::string columns_read_text(const SourceConfig& source);

}  // namespace millrace
