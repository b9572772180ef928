// Rows that leave a step, for somebody who looks at a running job: the first ones that pass, as texts. A tap costs a
// step nothing once it has had its rows; it is offered batches on the step's worker thread, and hands rows on from
// there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"

namespace millrace {

class Tap {
 public:
  /// `take` is called on worker threads and must not wait. `until_ms`: a silent step is not tapped for ever.
  Tap(uint32_t node, SchemaPtr schema, uint32_t rows, int64_t until_ms,
      std::function<void(std::vector<std::string>)> take)
      : node_(node), schema_(std::move(schema)), left_(rows), until_ms_(until_ms), take_(std::move(take)) {}

  /// In numbers of the job graph.
  [[nodiscard]] uint32_t node() const { return node_; }
  /// Rows of the step's main output. False: it has had enough. One thread: every subtask has a tap of its own.
  bool offer(const Batch& batch, int64_t now_ms);

 private:
  uint32_t node_;
  SchemaPtr schema_;
  uint32_t left_;
  int64_t until_ms_;
  std::function<void(std::vector<std::string>)> take_;
};
using TapPtr = std::shared_ptr<Tap>;

}  // namespace millrace
