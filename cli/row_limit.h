// `run --limit n`: lets the print sinks of a job write n rows together, then says so once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "plan/job_graph.h"
#include "runtime/spi/sink.h"

namespace millrace {

class RowLimit {
 public:
  /// `reached` is called once, on a worker thread.
  RowLimit(int64_t rows, std::function<void()> reached) : left_(rows), reached_(std::move(reached)) {}

  /// Wraps the writers of print sinks; the limit outlives them.
  SinkWriterPtr wrap(const Node& node, SinkWriterPtr writer);
  /// Up to `wanted` rows out of what is left; `last` is set for the caller that takes the final one.
  int64_t take(int64_t wanted, bool& last);
  void reached() { reached_(); }

 private:
  std::atomic<int64_t> left_;
  std::function<void()> reached_;
};

}  // namespace millrace
