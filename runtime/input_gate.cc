#include "runtime/input_gate.h"

#include <algorithm>
#include <utility>

namespace millrace {

void InputGate::add(ChannelInput* channel, uint32_t input, uint64_t producer, const ChannelKey& key, bool together) {
  const auto added = static_cast<uint32_t>(inputs_.size());
  Input& from = inputs_.emplace_back();
  from.channel = channel;
  from.input = input;
  from.producer = producer;
  from.key = key;
  from.together = together;
  if (producer == 0) return;
  for (uint32_t i = 0; i < added; ++i) {
    if (inputs_[i].producer != producer) continue;
    inputs_[i].siblings.push_back(added);
    inputs_[added].siblings.push_back(i);
  }
}

bool InputGate::waits(const Input& input) const {
  if (align_ && input.barrier > completed_ && input.barrier >= newest_) return true;
  return std::any_of(input.siblings.begin(), input.siblings.end(),
                     [&](uint32_t other) { return inputs_[other].steps < input.steps; });
}

bool InputGate::next(GateEvent& event) {
  // One thing may have followed from the last element besides what was reported (idle and a higher watermark).
  if (status_changed(event)) return true;
  if (std::exchange(restored_, false)) std::ranges::for_each(inputs_, forget_idle);
  // What one channel delivers may let another go on.
  for (size_t silent = 0; silent < inputs_.size(); ++silent) {
    Input& from = inputs_[next_];
    if (++next_ == inputs_.size()) next_ = 0;
    while (!waits(from)) {
      const bool arrived = front(from) != nullptr;
      const int64_t newest = newest_;
      const bool reached = at_lane_barrier(from);
      if (newest_ != newest) silent = 0;  // those that wait for an aborted checkpoint may go on
      if (reached) {
        from.barrier = from.lane.checkpoint;
        if (barrier_reached(event)) return true;
        continue;
      }
      if (!arrived) break;
      if (take(from, event)) return true;
      silent = 0;
    }
  }
  return status_changed(event);
}

bool InputGate::take(Input& from, GateEvent& event) {
  Element element = pop(from);
  if (element.kind != ElementKind::kBatch && element.kind != ElementKind::kBarrier) ++from.steps;
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
      from.barrier = std::max(from.barrier, element.value);
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
  if (reached <= completed_ || reached < newest_) return false;
  completed_ = reached;
  event.kind = ElementKind::kBarrier;
  event.value = reached;
  event.final = final_ == reached;
  return true;
}

bool InputGate::status_changed(GateEvent& event) {
  if (reported_end_) return false;
  int64_t lowest = INT64_MAX;
  int64_t highest_idle = kWatermarkMin;
  bool live = false;
  bool all_ended = true;
  for (const Input& input : inputs_) {
    all_ended = all_ended && input.ended;
    if (input.ended) continue;
    if (input.idle) {
      highest_idle = std::max(highest_idle, input.watermark);
      continue;
    }
    live = true;
    lowest = std::min(lowest, input.watermark);
  }
  const bool idle = !live && !all_ended;
  // As in Flink: the one that held the others back may be the last to turn idle. The outcome must not depend on that.
  if (idle) lowest = highest_idle;
  if (idle_ && !idle) {
    idle_ = false;
    event.kind = ElementKind::kActive;
    return true;
  }
  if (all_ended) lowest = kWatermarkMax;
  if (lowest > watermark_) {
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
