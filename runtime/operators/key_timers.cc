#include "runtime/operators/key_timers.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/hash.h"
#include "state/spill_buffer.h"
#include "state/task_store.h"

namespace millrace {

namespace {

constexpr size_t kTimerBytes = 96;  // node, string, and their heads
constexpr size_t kTimeBytes = sizeof(int64_t);
constexpr size_t kRecall = 4096;
constexpr size_t kRecallMax = 64 * 1024;   // when so many have the same time
constexpr uint32_t kRecallsToForget = 16;  // the store marks what it forgets, and marks cost

/// Times in the order of their bytes.
std::array<char, kTimeBytes> put_time(int64_t time) {
  const uint64_t ordered = std::byteswap(static_cast<uint64_t>(time) ^ (uint64_t{1} << 63));
  std::array<char, kTimeBytes> bytes;
  std::memcpy(bytes.data(), &ordered, sizeof ordered);
  return bytes;
}
int64_t time_at(const char* bytes) {
  uint64_t ordered = 0;
  std::memcpy(&ordered, bytes, sizeof ordered);
  return static_cast<int64_t>(std::byteswap(ordered) ^ (uint64_t{1} << 63));
}

}  // namespace

Status KeyTimers::open(const OperatorContext& context, const StateDescriptor& state, std::string_view name) {
  store_ = context.store;
  max_parallelism_ = context.max_parallelism;
  if (store_ == nullptr) return {};
  MR_ASSIGN(prefix_, store_->add_scratch(state, name));
  from_ = prefix_;
  return {};
}

size_t KeyTimers::bytes_of(std::string_view key) { return kTimerBytes + (key.size() > 15 ? key.size() + 16 : 0); }

void KeyTimers::set(int64_t time, std::string_view key) {
  if (near_[time].emplace(key).second) bytes_ += bytes_of(key);
}

Result<bool> KeyTimers::due(int64_t until) {
  due_until_ = std::max(due_until_, until);
  if (far_ && *far_ <= until &&
      (near_.empty() || *far_ < near_.begin()->first || (*far_ == near_.begin()->first && !cut_))) {
    MR_TRY(recall(until));
  }
  return !near_.empty() && near_.begin()->first <= until;
}

std::pair<int64_t, std::string> KeyTimers::pop() {
  const auto first = near_.begin();
  std::pair<int64_t, std::string> timer(first->first, std::move(first->second.extract(first->second.begin()).value()));
  if (first->second.empty()) near_.erase(first);
  bytes_ -= bytes_of(timer.second);
  return timer;
}

void KeyTimers::peek(int64_t until, size_t count, std::vector<std::string_view>& keys) const {
  for (auto at = near_.begin(); at != near_.end() && at->first <= until; ++at) {
    for (const std::string& key : at->second) {
      if (count-- == 0) return;
      keys.push_back(key);
    }
  }
}

// ---- between memory and store ----

Result<size_t> KeyTimers::spill(size_t bytes) {
  const size_t before = bytes_;
  SpillBuffer buffer;
  while (!near_.empty() && before - bytes_ < bytes) {
    const auto last = std::prev(near_.end());
    if (last->first <= due_until_) break;
    const auto time = put_time(last->first);
    for (const std::string& key : last->second) {
      std::array<char, 2> group;
      put_key_group(key_group_of(hash64(key), max_parallelism_), group.data());
      buffer.add({prefix_, {time.data(), time.size()}, {group.data(), group.size()}, key}, {});
      bytes_ -= bytes_of(key);
    }
    if (!far_ || last->first <= *far_) {  // also of the same time: in front of what was not taken yet
      cut_ = false;
      far_ = last->first;
      from_.assign(prefix_).append(time.data(), time.size());
    }
    near_.erase(last);
  }
  if (buffer.rows() == 0) return size_t{0};
  MR_ASSIGN(SpillStore * store, store_->open());
  MR_TRY(buffer.write_run(*store));
  return before - bytes_;
}

Result<size_t> KeyTimers::spill_part(size_t bytes, size_t total) {
  const double part = static_cast<double>(bytes) / static_cast<double>(total + 1);
  return spill(static_cast<size_t>(static_cast<double>(bytes_) * part));
}

/// All timers of the first times, as many times as fit.
Status KeyTimers::recall(int64_t until) {
  const auto at = store_->opened()->scan(from_, behind_prefix(prefix_));
  const size_t head = prefix_.size() + kTimeBytes;
  size_t taken = 0;
  int64_t time = *far_;
  far_.reset();
  for (; at->valid(); at->next()) {
    const std::string_view key = at->key();
    if (key.size() < head + 2) return make_error(ErrorCode::kCorruptState, "a timer of the state store is damaged");
    const int64_t here = time_at(key.data() + prefix_.size());
    if (here > until || taken >= kRecallMax || (taken >= kRecall && here != time)) {
      cut_ = here == time;
      far_ = here;
      from_.assign(key);
      break;
    }
    time = here;
    ++taken;
    set(here, key.substr(head + 2));
  }
  MR_TRY(at->status());
  if (!far_) from_ = behind_prefix(prefix_);
  return ++recalls_ % kRecallsToForget == 0 ? forget_taken() : Status{};
}

Status KeyTimers::forget_taken() { return store_->opened()->drop(prefix_, from_); }

}  // namespace millrace
