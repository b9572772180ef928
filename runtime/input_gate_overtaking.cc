// The unaligned half of InputGate.
#include <algorithm>

#include "core/crash_point.h"
#include "runtime/input_gate.h"

namespace millrace {

void InputGate::restore(std::vector<ChannelRows> rows) {
  for (ChannelRows& of_channel : rows) {
    for (Input& input : inputs_) {
      if (input.key != of_channel.key) continue;
      input.watermark = of_channel.status.watermark;
      input.idle = of_channel.status.idle;
      input.carried = true;
      restored_ = true;
      for (Element& element : of_channel.elements) {
        // Behind these all channels of the producer have come equally far.
        if (element.kind != ElementKind::kBatch) --input.steps;
        input.restored.push_back(std::move(element));
      }
    }
  }
}

/// A producer that starts anew says again that it is idle.
void InputGate::forget_idle(Input& from) {
  if (from.carried && from.restored.empty()) from.carried = from.idle = false;
}

Element* InputGate::front(Input& from) {
  if (!from.restored.empty()) return &from.restored.front();
  forget_idle(from);
  return from.channel->front();
}

Element InputGate::pop(Input& from) {
  if (!from.restored.empty()) {
    Element element = std::move(from.restored.front());
    from.restored.pop_front();
    return element;
  }
  if (from.recording && from.scanned == 0) record_next(from);
  if (from.scanned > 0) --from.scanned;
  ++from.taken;
  return from.channel->pop();
}

/// Whether the next element is behind a barrier that overtook. REQUIRES: that element was looked for before, so that it
/// cannot be taken for one that the barrier overtook.
bool InputGate::at_lane_barrier(Input& from) {
  if (from.channel->overtaken(from.lane)) newest_ = std::max(newest_, from.lane.checkpoint);
  if (seeded_bug("lane_ignored")) return false;
  return from.lane.checkpoint > from.barrier && from.restored.empty() && from.taken >= from.lane.position;
}

bool InputGate::may_overtake(int64_t checkpoint) const {
  if (checkpoint <= completed_ || checkpoint < newest_) return false;
  return std::all_of(inputs_.begin(), inputs_.end(),
                     [&](const Input& input) { return !input.together || input.barrier >= checkpoint; });
}

void InputGate::begin_snapshot(int64_t checkpoint) {
  recorded_.clear();
  for (Input& input : inputs_) input.recording = false;
  if (checkpoint <= completed_) return;  // they were aligned
  completed_ = checkpoint;
  newest_ = std::max(newest_, checkpoint);
  for (Input& input : inputs_) {
    input.record = recorded_.size();
    ChannelRows& rows = recorded_.emplace_back();
    rows.key = input.key;
    rows.status = {input.watermark, input.idle};
    if (input.barrier >= checkpoint) continue;
    rows.elements.assign(input.restored.begin(), input.restored.end());
    input.recording = true;
    input.scanned = 0;
  }
}

bool InputGate::record() {
  bool complete = true;
  for (Input& input : inputs_) {
    while (input.recording && record_next(input)) {
    }
    complete = complete && !input.recording;
  }
  return complete;
}

/// False: there is nothing more to record now.
bool InputGate::record_next(Input& from) {
  const Element* element = from.channel->peek(from.scanned);
  if (from.channel->overtaken(from.lane)) newest_ = std::max(newest_, from.lane.checkpoint);
  const bool passed = from.lane.checkpoint >= completed_ && from.taken + from.scanned >= from.lane.position;
  const bool barrier = element != nullptr && element->kind == ElementKind::kBarrier;
  if (passed || (barrier && element->value >= completed_)) {
    from.recording = false;
    return false;
  }
  if (element == nullptr) return false;
  if (!barrier && !seeded_bug("queue_not_recorded")) recorded_[from.record].elements.push_back(*element);
  ++from.scanned;
  return true;
}

}  // namespace millrace
