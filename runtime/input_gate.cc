#include "runtime/input_gate.h"

#include <algorithm>

namespace millrace {

bool InputGate::next(GateEvent& event) {
  // One thing may have followed from the last element besides what was reported (idle and a higher watermark).
  if (status_changed(event)) return true;
  for (size_t tried = 0; tried < inputs_.size(); ++tried) {
    Input& from = inputs_[next_];
    if (++next_ == inputs_.size()) next_ = 0;
    if (align_ && from.barrier > completed_) continue;
    while (from.channel->front() != nullptr) {
      if (take(from, event)) return true;
      if (align_ && from.barrier > completed_) break;
    }
  }
  return false;
}

bool InputGate::take(Input& from, GateEvent& event) {
  Element element = from.channel->pop();
  switch (element.kind) {
    case ElementKind::kBatch:
      event.kind = ElementKind::kBatch;
      event.input = from.input;
      event.batch = std::move(element.batch);
      return true;
    case ElementKind::kWatermark:
      from.watermark = std::max(from.watermark, element.value);
      return status_changed(event);
    case ElementKind::kBarrier:
      from.barrier = element.value;
      if (element.final) final_ = element.value;
      return barrier_reached(event);
    case ElementKind::kIdle:
    case ElementKind::kActive:
      from.idle = element.kind == ElementKind::kIdle;
      return status_changed(event);
    case ElementKind::kEnd:
      from.ended = true;
      return status_changed(event);
  }
  return false;
}

bool InputGate::barrier_reached(GateEvent& event) {
  int64_t reached = INT64_MAX;
  for (const Input& input : inputs_) reached = std::min(reached, input.barrier);
  if (reached <= completed_) return false;
  completed_ = reached;
  event.kind = ElementKind::kBarrier;
  event.value = reached;
  event.final = final_ == reached;
  return true;
}

bool InputGate::status_changed(GateEvent& event) {
  if (reported_end_) return false;
  int64_t lowest = INT64_MAX;
  bool live = false;
  bool all_ended = true;
  for (const Input& input : inputs_) {
    all_ended = all_ended && input.ended;
    if (input.idle || input.ended) continue;
    live = true;
    lowest = std::min(lowest, input.watermark);
  }
  const bool idle = !live && !all_ended;
  if (idle_ && !idle) {
    idle_ = false;
    event.kind = ElementKind::kActive;
    return true;
  }
  if (all_ended) lowest = kWatermarkMax;
  if ((live || all_ended) && lowest > watermark_) {
    watermark_ = lowest;
    event.kind = ElementKind::kWatermark;
    event.value = lowest;
    return true;
  }
  if (idle && !idle_) {
    idle_ = true;
    event.kind = ElementKind::kIdle;
    return true;
  }
  if (all_ended) {
    reported_end_ = true;
    event.kind = ElementKind::kEnd;
    return true;
  }
  return false;
}

bool InputGate::aligning() const {
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const Input& input) { return input.barrier > completed_; });
}

double InputGate::usage() const {
  double usage = 0;
  for (const Input& input : inputs_) usage = std::max(usage, input.channel->usage());
  return usage;
}

}  // namespace millrace
