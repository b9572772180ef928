#include "runtime/operators/window/slice_runs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "state/row_order.h"

namespace millrace {

namespace {

std::string pane_prefix(std::string_view prefix, int64_t pane) {
  std::string result(prefix);
  result.append(reinterpret_cast<const char*>(&pane), sizeof pane);
  return result;
}

}  // namespace

SliceRuns::SliceRuns(SliceStore& slices, TaskStore& store, uint32_t max_parallelism)
    : slices_(slices), store_(store), max_parallelism_(max_parallelism) {}

SliceRuns::~SliceRuns() { store_.remove(*this); }

std::string SliceRuns::run_prefix(std::string_view prefix, int64_t pane, uint32_t run) {
  std::string result = pane_prefix(prefix, pane);
  const uint32_t ordered = std::byteswap(run);
  return result.append(reinterpret_cast<const char*>(&ordered), sizeof ordered);
}

void SliceRuns::add_row(SpillBuffer& buffer, std::string_view run_prefix, uint32_t group, std::string_view key,
                        std::string_view value) {
  std::array<char, 2> bytes;
  put_key_group(group, bytes.data());
  buffer.add({run_prefix, {bytes.data(), bytes.size()}, key}, value);
}

Result<bool> SliceRuns::open(const StateDescriptor& state) {
  MR_ASSIGN(TaskStore::Registered registered, store_.add(state, {sizeof(int64_t), sizeof(uint32_t)}, *this));
  prefix_ = std::move(registered.prefix);
  if (!registered.holds) return false;
  MR_TRY(find_panes());
  return true;
}

/// Jumps from run to run.
Status SliceRuns::find_panes() {
  const size_t head = prefix_.size() + sizeof(int64_t) + sizeof(uint32_t);
  const std::string end = behind_prefix(prefix_);
  std::string from = prefix_;
  while (true) {
    const std::unique_ptr<SpillCursor> at = store_.opened()->scan(from, end);
    if (!at->valid()) return at->status();
    if (at->key().size() < head) return make_error(ErrorCode::kCorruptState, "a key of the state store is truncated");
    int64_t pane = 0;
    uint32_t run = 0;
    std::memcpy(&pane, at->key().data() + prefix_.size(), sizeof pane);
    std::memcpy(&run, at->key().data() + prefix_.size() + sizeof pane, sizeof run);
    Slice& slice = slices_.open_slice(pane);
    slice.runs.push_back(std::byteswap(run));
    slice.run = slice.runs.back() + 1;
    slice.stored = true;
    spilled_ = true;
    from = behind_prefix(std::string(at->key().substr(0, head)));
  }
}

std::unique_ptr<SpillCursor> SliceRuns::rows(int64_t pane, uint32_t run) const {
  std::string begin = run_prefix(prefix_, pane, run);
  std::string end = behind_prefix(begin);
  return store_.opened()->scan(std::move(begin), std::move(end));
}

Status SliceRuns::add_key(const Slice& slice, uint64_t hash, std::string_view key, char* into, BlobPool& blobs) const {
  std::vector<std::string> keys;
  std::array<char, 2> group;
  put_key_group(key_group_of(hash, max_parallelism_), group.data());
  for (const uint32_t run : slice.runs) {
    keys.push_back(run_prefix(prefix_, slice.start, run).append(group.data(), group.size()).append(key));
  }
  std::vector<std::string> values;
  std::vector<uint8_t> found;
  MR_TRY(store_.opened()->load(std::vector<std::string_view>(keys.begin(), keys.end()), values, found));
  for (size_t i = 0; i < keys.size(); ++i) {
    ByteReader saved(values[i]);
    if (found[i] != 0) MR_TRY(slices_.merge_saved(saved, into, blobs));
  }
  return {};
}

Status SliceRuns::drop(int64_t pane) {
  if (store_.writing_back()) {  // the snapshot has to find the pane as it was at the barrier
    dropped_.push_back(pane);
    return {};
  }
  MR_TRY(drop_deferred());
  std::string begin = pane_prefix(prefix_, pane);
  const std::string end = behind_prefix(begin);
  return store_.opened()->drop(begin, end);
}

Status SliceRuns::drop_deferred() {
  for (const int64_t pane : std::exchange(dropped_, {})) {
    if (Slice* again = slices_.find(pane); again != nullptr) {
      // Late rows opened it anew, or it was emptied: only runs from before are dropped.
      MR_TRY(store_.opened()->drop(pane_prefix(prefix_, pane),
                                   run_prefix(prefix_, pane, again->runs.empty() ? again->run : again->runs.front())));
      continue;
    }
    std::string begin = pane_prefix(prefix_, pane);
    MR_TRY(store_.opened()->drop(begin, behind_prefix(begin)));
  }
  return {};
}

size_t SliceRuns::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& [start, slice] : slices_.slices()) bytes += slice->table.bytes() + slice->blobs.bytes();
  return bytes;
}

/// The largest tables first.
Result<size_t> SliceRuns::spill(size_t bytes) {
  std::vector<Slice*> by_size;
  for (const auto& [start, slice] : slices_.slices()) {
    if (slice->table.size() > 0 && !slice->table.being_read()) by_size.push_back(slice.get());
  }
  std::ranges::sort(by_size, std::greater<>(), [](const Slice* slice) { return slice->table.bytes(); });
  size_t freed = 0;
  for (Slice* slice : by_size) {
    if (freed >= bytes) break;
    MR_ASSIGN(const size_t one, spill_slice(*slice));
    freed += one;
  }
  return freed;
}

Result<size_t> SliceRuns::spill_slice(Slice& slice) {
  MR_ASSIGN(SpillStore * store, store_.open());
  MR_TRY(drop_deferred());
  const std::string head = run_prefix(prefix_, slice.start, slice.run);
  const uint16_t written = slice.written->load(std::memory_order_acquire);
  MR_ASSIGN(const std::unique_ptr<SpillRun> run, store->begin_run());
  ByteWriter value;
  std::string key;
  // What a snapshot wrote is in the store under the same number.
  const auto keep = [&](const char* row) { return KeyedTable::changed_since(row, written); };
  for (RowOrder rows(slice.table, 0, max_parallelism_, keep); rows.valid(); rows.next()) {
    value.clear();
    slices_.aggregates().save(rows.row(), value);
    rows.store_key(head, key);
    MR_TRY(run->add(key, value.view()));
  }
  MR_TRY(run->finish());
  const size_t freed = slice.table.bytes() + slice.blobs.bytes();
  slice.runs.push_back(slice.run);
  slice.run += 1;
  slice.stored = true;
  spilled_ = true;
  slices_.renew(slice);
  return freed;
}

// ---- snapshots ----

class SliceRuns::Part final : public SnapshotPart {
 public:
  explicit Part(SliceRuns& owner)
      : store_(owner.store_.shared()),
        aggregates_(owner.slices_.shared_aggregates()),
        max_parallelism_(owner.max_parallelism_),
        buffer_bytes_(owner.store_.buffer_bytes()) {
    for (const auto& [start, slice] : owner.slices_.slices()) {
      if (slice->table.size() == 0) continue;
      slice->stored = true;
      auto view = slice->table.freeze();
      panes_.push_back({slice, std::move(view), run_prefix(owner.prefix_, start, slice->run),
                        slice->written->load(std::memory_order_acquire), slice->table.next_epoch()});
    }
  }

  Status write(SnapshotWriter& /*writer*/) override {
    SpillBuffer buffer;
    ByteWriter value;
    Status status;
    for (Pane& pane : panes_) {
      pane.view->visit([&](uint64_t hash, std::string_view key, const char* row) {
        if (!status || !KeyedTable::changed_since(row, pane.written)) return;
        value.clear();
        aggregates_->save(row, value);
        add_row(buffer, pane.prefix, key_group_of(hash, max_parallelism_), key, value.view());
        if (buffer.bytes() >= buffer_bytes_) status = buffer.write_run(*store_);
      });
      pane.view.reset();
      MR_TRY(status);
    }
    MR_TRY(buffer.write_run(*store_));
    for (Pane& pane : panes_) pane.slice->written->store(pane.epoch, std::memory_order_release);
    panes_.clear();
    return {};
  }

 private:
  struct Pane {
    SlicePtr slice;  // declared before its view, which must go first
    std::unique_ptr<TableView> view;
    std::string prefix;
    uint16_t written;
    uint16_t epoch;
  };
  std::shared_ptr<SpillStore> store_;
  std::shared_ptr<AggregateRow> aggregates_;
  uint32_t max_parallelism_;
  size_t buffer_bytes_;
  std::vector<Pane> panes_;
};

SnapshotPartPtr SliceRuns::snapshot() {
  if (store_.opened() == nullptr) return nullptr;
  return std::make_unique<Part>(*this);
}

}  // namespace millrace
