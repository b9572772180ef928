#include "runtime/operators/window/key_windows.h"

#include <algorithm>
#include <cstring>

#include "core/hash.h"

namespace millrace {

KeyWindows::KeyWindows(std::shared_ptr<AggregateRow> aggregates, bool merging)
    : aggregates_(std::move(aggregates)),
      merging_(merging),
      rows_(kKeyWindowBytes + aggregates_->bytes(), sizeof(int64_t)),
      index_(sizeof(IndexEntry), index_blobs_) {}

namespace {
constexpr size_t kTimerBytes = 64;  // a node of the set
constexpr size_t kIndexBytes = 80;  // a row of the index and its slots

int64_t number_of(const char* row) {
  int64_t number = 0;
  std::memcpy(&number, KeyedTable::key_of(row).data(), sizeof number);
  return number;
}
}  // namespace

void KeyWindows::append_row_key(int64_t start, std::string_view key, std::string& out) {
  out.append(reinterpret_cast<const char*>(&start), sizeof start);
  out.append(key);
}

char* KeyWindows::make_row(int64_t id, std::string_view key, WindowBounds bounds) {
  row_key_.clear();
  append_row_key(id, key, row_key_);
  bool inserted = false;
  char* row = rows_.insert_fetched(hash64(row_key_), row_key_, &inserted);
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
    target = make_row(free_number(), key, merged);
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

/// None of sessions_ has it.
int64_t KeyWindows::free_number() const {
  for (int64_t number = 0;; ++number) {
    const auto taken = [number](const Interval& session) { return number_of(session.row) == number; };
    if (std::ranges::none_of(sessions_, taken)) return number;
  }
}

void KeyWindows::drop_timer(char* row) {
  if (window(row).timer == kNoTime) return;
  timers_.erase(window(row).timer, row);
  window(row).timer = kNoTime;
}

void KeyWindows::set_timer(char* row, int64_t time) {
  KeyWindow& held = window(row);
  if (held.timer != kNoTime && held.timer <= time) return;
  drop_timer(row);
  held.timer = time;
  timers_.set(time, row);
}

char* KeyWindows::pop_timer(int64_t& time) {
  const auto first = timers_.pop();
  time = first.first;
  char* row = rows_.writable(first.second);
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

// ---- between memory, store and snapshots ----

void KeyWindows::save_window(const KeyWindow& window, ByteWriter& out) {
  for (const int64_t part : {window.start, window.end, window.next_fire, window.closed, window.filled}) out.put(part);
  window.trigger.save(out);
}

void KeyWindows::load_window(ByteReader& in, KeyWindow& window) {
  for (int64_t* part : {&window.start, &window.end, &window.next_fire, &window.closed, &window.filled}) {
    *part = in.get<int64_t>();
  }
  window.trigger.load(in);
  window.timer = kNoTime;
}

KeyedRows::Codec KeyWindows::codec() {
  return {.save =
              [aggregates = aggregates_](const char* row, ByteWriter& out) {
                save_window(*reinterpret_cast<const KeyWindow*>(row), out);
                aggregates->save(row + kKeyWindowBytes, out);
              },
          .load = [this](char* row, ByteReader& in) { return load_row(row, in); },
          .drop = [this](char* row) { leave(row); },
          .stays = [this](const char* row) { return stays(row); },
          .timers = &timers_.left(),
          .bytes_beside = kTimerBytes + (merging_ ? kIndexBytes : 0)};
}

SnapshotPartPtr KeyWindows::snapshot(const StateDescriptor& state, uint32_t max_parallelism) {
  return rows_.snapshot(state, max_parallelism, codec().save);
}

Status KeyWindows::load_row(char* row, ByteReader& in) {
  load_window(in, window(row));
  aggregates_->init(accumulators(row));
  MR_TRY(aggregates_->load(in, accumulators(row), rows_.blobs()));
  if (merging_) {
    const std::string_view user_key = key(row);
    const uint64_t hash = hash64(user_key);
    read_sessions(hash, user_key);
    sessions_.push_back({window(row).start, window(row).end, row});
    write_sessions(hash, user_key);
    if (number_of(row) != 0) numbered_.emplace_back(KeyedTable::key_of(row));
  }
  set_timer(row, due_(window(row)));
  return {};
}

void KeyWindows::leave(char* row) {
  if (window(row).timer != kNoTime) timers_.leave(window(row).timer, row);
  if (merging_) index_.erase(hash64(key(row)), key(row));  // its only session
  aggregates_->drop(accumulators(row), rows_.blobs());
}

bool KeyWindows::stays(const char* row) {
  if (!merging_) return false;
  if (number_of(row) != 0) return true;
  const char* entry = index_.find(hash64(key(row)), key(row));
  return entry != nullptr && !reinterpret_cast<const IndexEntry*>(entry)->others.empty();
}

Status KeyWindows::back(const StateDescriptor& state, const OperatorContext& context,
                        std::function<int64_t(const KeyWindow&)> due) {
  due_ = std::move(due);
  MR_TRY(timers_.left().open(context, state, "timers"));
  MR_TRY(rows_.back(state, context, codec()));
  MR_TRY(rows_.visit_held([&](std::string_view row_key, ByteReader& value) -> Status {
    KeyWindow held{};
    load_window(value, held);
    timers_.left().set(due_(held), row_key);
    int64_t number = 0;
    std::memcpy(&number, row_key.data(), sizeof number);
    if (merging_ && number != 0) numbered_.emplace_back(row_key);
    return {};
  }));
  return settle_sessions();
}

/// Of keys with several sessions all must be in memory.
Status KeyWindows::settle_sessions() {
  const std::vector<std::string> numbered = std::exchange(numbered_, {});
  std::vector<std::string> firsts;
  for (const std::string& row_key : numbered) {
    append_row_key(0, std::string_view(row_key).substr(sizeof(int64_t)), firsts.emplace_back());
  }
  MR_TRY(fetch(std::vector<std::string_view>(numbered.begin(), numbered.end())));
  MR_TRY(fetch(std::vector<std::string_view>(firsts.begin(), firsts.end())));
  numbered_.clear();
  return {};
}

}  // namespace millrace
