#include "runtime/operators/window/key_windows.h"

#include <algorithm>

#include "core/hash.h"

namespace millrace {

KeyWindows::KeyWindows(std::shared_ptr<AggregateRow> aggregates, bool merging)
    : aggregates_(std::move(aggregates)),
      merging_(merging),
      rows_(kKeyWindowBytes + aggregates_->bytes(), sizeof(int64_t)),
      index_(sizeof(IndexEntry), index_blobs_) {}

char* KeyWindows::make_row(int64_t id, std::string_view key, WindowBounds bounds) {
  row_key_.assign(reinterpret_cast<const char*>(&id), sizeof id);
  row_key_.append(key);
  bool inserted = false;
  char* row = rows_.table().insert(hash64(row_key_), row_key_, &inserted);
  if (!inserted) return row;
  window(row) = {bounds.start, bounds.end, kNoTime, kNoTime, 0, 0, {}};
  aggregates_->init(accumulators(row));
  return row;
}

char* KeyWindows::open(uint64_t /*hash*/, std::string_view key, WindowBounds bounds) {
  return make_row(bounds.start, key, bounds);
}

void KeyWindows::read_sessions(uint64_t hash, std::string_view key) {
  sessions_.clear();
  entry_ = index_.find(hash, key);
  if (entry_ == nullptr) return;
  const auto& entry = *reinterpret_cast<const IndexEntry*>(entry_);
  sessions_.push_back(entry.first);
  if (entry.others.empty()) return;
  const std::string_view bytes = entry.others.view();
  sessions_.resize(1 + bytes.size() / sizeof(Interval));
  std::memcpy(static_cast<void*>(sessions_.data() + 1), bytes.data(), bytes.size());
}

void KeyWindows::write_sessions(uint64_t hash, std::string_view key) {
  if (entry_ == nullptr) {
    bool inserted = false;
    entry_ = index_.insert(hash, key, &inserted);
  }
  auto& entry = *reinterpret_cast<IndexEntry*>(entry_);
  if (!entry.others.empty()) index_blobs_.release(entry.others);
  entry = IndexEntry{};
  if (sessions_.empty()) {
    index_.erase(hash, key);
    entry_ = nullptr;
    return;
  }
  entry.first = sessions_[0];
  if (sessions_.size() == 1) return;
  entry.others = index_blobs_.add(
      {reinterpret_cast<const char*>(sessions_.data() + 1), (sessions_.size() - 1) * sizeof(Interval)});
}

/// Sessions that only touch merge too.
WindowBounds KeyWindows::merged_bounds(uint64_t hash, std::string_view key, WindowBounds bounds, size_t& touched) {
  read_sessions(hash, key);
  WindowBounds merged = bounds;
  touched = 0;
  for (const Interval& session : sessions_) {
    if (session.start > bounds.end || session.end < bounds.start) continue;
    ++touched;
    merged.start = std::min(merged.start, session.start);
    merged.end = std::max(merged.end, session.end);
  }
  return merged;
}

char* KeyWindows::open_session(uint64_t hash, std::string_view key, WindowBounds merged) {
  if (sessions_.size() == 1 && sessions_[0].start >= merged.start && sessions_[0].end <= merged.end) {
    char* row = rows_.writable(sessions_[0].row);
    window(row).start = merged.start;
    window(row).end = merged.end;
    reinterpret_cast<IndexEntry*>(entry_)->first = {merged.start, merged.end, row};
    return row;
  }
  char* target = nullptr;
  bool changed = false;
  std::vector<Interval> kept;
  for (const Interval& session : sessions_) {
    // Sessions of a key never touch each other, so those inside the merged bounds are the touched ones.
    if (session.start < merged.start || session.end > merged.end) {
      kept.push_back(session);
      continue;
    }
    if (target == nullptr) {
      target = rows_.writable(session.row);
      changed = session.start != merged.start || session.end != merged.end;
      continue;
    }
    changed = true;
    char* other = rows_.writable(session.row);
    aggregates_->merge(accumulators(target), accumulators(other), rows_.blobs());
    KeyWindow& into = window(target);
    const KeyWindow& from = window(other);
    into.filled |= from.filled;
    into.closed &= from.closed;
    into.trigger.merge(from.trigger);
    if (from.next_fire != kNoTime) {
      into.next_fire = into.next_fire == kNoTime ? from.next_fire : std::min(into.next_fire, from.next_fire);
    }
    drop_timer(other);
    aggregates_->drop(accumulators(other), rows_.blobs());
    rows_.erase(other);
  }
  if (target == nullptr) {
    target = make_row(next_id_++, key, merged);
    changed = true;
  }
  window(target).start = merged.start;
  window(target).end = merged.end;
  if (changed) {
    kept.push_back({merged.start, merged.end, target});
    sessions_ = std::move(kept);
    write_sessions(hash, key);
  }
  return target;
}

void KeyWindows::drop_timer(char* row) {
  if (window(row).timer == kNoTime) return;
  timers_.erase({window(row).timer, row});
  window(row).timer = kNoTime;
}

void KeyWindows::set_timer(char* row, int64_t time) {
  KeyWindow& held = window(row);
  if (held.timer != kNoTime && held.timer <= time) return;
  drop_timer(row);
  held.timer = time;
  timers_.emplace(time, row);
}

char* KeyWindows::pop_timer() {
  char* row = rows_.writable(timers_.begin()->second);
  timers_.erase(timers_.begin());
  window(row).timer = kNoTime;
  return row;
}

void KeyWindows::purge(char* row) {
  row = rows_.writable(row);
  aggregates_->drop(accumulators(row), rows_.blobs());
  std::memset(accumulators(row), 0, aggregates_->bytes());
  aggregates_->init(accumulators(row));
  window(row).filled = 0;
}

void KeyWindows::erase(char* row) {
  row = rows_.writable(row);
  drop_timer(row);
  if (merging_) {
    const std::string_view user_key = key(row);
    const uint64_t hash = hash64(user_key);
    read_sessions(hash, user_key);
    std::erase_if(sessions_, [row](const Interval& session) { return session.row == row; });
    write_sessions(hash, user_key);
  }
  aggregates_->drop(accumulators(row), rows_.blobs());
  rows_.erase(row);
}

SnapshotPartPtr KeyWindows::snapshot(const StateDescriptor& state, uint32_t max_parallelism) {
  return rows_.snapshot(state, max_parallelism, [aggregates = aggregates_](const char* row, ByteWriter& out) {
    const auto& held = *reinterpret_cast<const KeyWindow*>(row);
    for (const int64_t part : {held.start, held.end, held.next_fire, held.closed, held.filled}) out.put(part);
    held.trigger.save(out);
    aggregates->save(row + kKeyWindowBytes, out);
  });
}

Status KeyWindows::restore(const StateDescriptor& state, const OperatorContext& context,
                           const std::function<void(char* row)>& restored) {
  return rows_.restore(state, context, [&](char* row, ByteReader& in) -> Status {
    KeyWindow& held = window(row);
    for (int64_t* part : {&held.start, &held.end, &held.next_fire, &held.closed, &held.filled})
      *part = in.get<int64_t>();
    held.trigger.load(in);
    held.timer = kNoTime;
    aggregates_->init(accumulators(row));
    MR_TRY(aggregates_->load(in, accumulators(row), rows_.blobs()));
    if (merging_) {
      int64_t id = 0;
      std::memcpy(&id, KeyedTable::key_of(row).data(), sizeof id);
      next_id_ = std::max(next_id_, id + 1);
      const std::string_view user_key = key(row);
      const uint64_t hash = hash64(user_key);
      read_sessions(hash, user_key);
      sessions_.push_back({held.start, held.end, row});
      write_sessions(hash, user_key);
    }
    restored(row);
    return {};
  });
}

}  // namespace millrace
