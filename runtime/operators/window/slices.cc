#include "runtime/operators/window/slices.h"

#include <cstring>

#include "core/hash.h"
#include "runtime/operators/window/slice_runs.h"

namespace millrace {

SliceStore::SliceStore(std::shared_ptr<AggregateRow> aggregates) : aggregates_(std::move(aggregates)) {}
SliceStore::~SliceStore() = default;

Slice& SliceStore::open_slice(int64_t start) {
  SlicePtr& slice = slices_[start];
  if (!slice) {
    slice = make_slice();
    slice->start = start;
  }
  return *slice;
}

Slice& SliceStore::renew(const Slice& slice) {
  SlicePtr fresh = make_slice();
  fresh->start = slice.start;
  fresh->run = slice.run;
  fresh->runs = slice.runs;
  fresh->stored = slice.stored;
  SlicePtr& place = slices_.at(slice.start);
  place = std::move(fresh);
  return *place;
}

Status SliceStore::erase(int64_t start) {
  const auto found = slices_.find(start);
  if (found == slices_.end()) return {};
  if (runs_ && found->second->stored) MR_TRY(runs_->drop(start));
  slices_.erase(found);
  return {};
}

Status SliceStore::clear(Slice& slice) {
  slice.table.clear();
  if (!runs_ || !slice.stored) return {};
  MR_TRY(runs_->drop(slice.start));
  // Numbers go on: what a snapshot writes meanwhile belongs to the old ones.
  slice.run += 1;
  slice.runs.clear();
  return {};
}

bool SliceStore::spilled() const { return runs_ && runs_->spilled(); }

Slice* SliceStore::find(int64_t start) const {
  const auto found = slices_.find(start);
  return found == slices_.end() ? nullptr : found->second.get();
}

void SliceStore::merge(const Slice& from, Slice& into) {
  constexpr size_t kWalkRows = 256;
  std::vector<const char*> rows(kWalkRows);
  std::vector<char*> targets(kWalkRows);
  std::vector<uint8_t> inserted(kWalkRows);
  EncodedKeys keys;
  uint64_t cursor = 0;
  if (into.table.size() == 0) into.table.reserve(from.table.size());
  while (const size_t count = from.table.peek_rows(cursor, rows)) {
    keys.keys.clear();
    keys.hashes.clear();
    for (size_t i = 0; i < count; ++i) {
      keys.keys.push_back(KeyedTable::key_of(rows[i]));
      keys.hashes.push_back(KeyedTable::hash_of(rows[i]));
    }
    into.table.find_or_insert(keys, {}, targets.data(), inserted.data());
    for (size_t i = 0; i < count; ++i) {
      if (inserted[i] != 0) aggregates_->init(targets[i]);
      aggregates_->merge(targets[i], rows[i], into.blobs);
    }
  }
}

namespace {

class SliceSnapshot final : public SnapshotPart {
 public:
  SliceSnapshot(StateDescriptor state, std::shared_ptr<AggregateRow> aggregates, uint32_t max_parallelism)
      : state_(std::move(state)), aggregates_(std::move(aggregates)), max_parallelism_(max_parallelism) {}

  void add(int64_t start, SlicePtr slice) {
    auto view = slice->table.freeze();
    panes_.push_back({start, std::move(slice), std::move(view)});
  }

  Status write(SnapshotWriter& writer) override {
    MR_TRY(writer.begin(state_));
    Status status;
    ByteWriter key_bytes;
    ByteWriter value_bytes;
    for (Pane& pane : panes_) {
      pane.view->visit([&](uint64_t hash, std::string_view key, const char* value) {
        if (!status) return;
        key_bytes.clear();
        key_bytes.put(pane.start);
        key_bytes.put_raw(key);
        value_bytes.clear();
        aggregates_->save(value, value_bytes);
        status = writer.add(key_group_of(hash, max_parallelism_), key_bytes.view(), value_bytes.view());
      });
      pane.view.reset();
      pane.slice.reset();
      MR_TRY(status);
    }
    return {};
  }

 private:
  struct Pane {
    int64_t start;
    SlicePtr slice;  // declared before its view, which must go first
    std::unique_ptr<TableView> view;
  };
  StateDescriptor state_;
  std::shared_ptr<AggregateRow> aggregates_;
  uint32_t max_parallelism_;
  std::vector<Pane> panes_;
};

}  // namespace

SnapshotPartPtr SliceStore::snapshot(const StateDescriptor& state, uint32_t max_parallelism) {
  if (runs_) {
    if (SnapshotPartPtr part = runs_->snapshot()) return part;
  }
  auto part = std::make_unique<SliceSnapshot>(state, aggregates_, max_parallelism);
  for (const auto& [start, slice] : slices_) part->add(start, slice);
  return part;
}

Status SliceStore::open(const StateDescriptor& state, const OperatorContext& context) {
  bool holds = false;
  if (context.store != nullptr) {
    runs_ = std::make_unique<SliceRuns>(*this, *context.store, context.max_parallelism);
    MR_ASSIGN(holds, runs_->open(state));
  }
  if (context.restored == nullptr || holds) return {};
  return restore(state, context);
}

Status SliceStore::restore(const StateDescriptor& state, const OperatorContext& context) {
  uint64_t visited = 0;
  return context.restored->visit(state, context.key_groups, context.subtask, context.parallelism,
                                 [&](uint32_t /*group*/, std::string_view key, std::string_view value) -> Status {
                                   ByteReader key_reader(key);
                                   const auto start = key_reader.get<int64_t>();
                                   if (!key_reader.ok())
                                     return make_error(ErrorCode::kCorruptState, "a window's state key is truncated");
                                   MR_TRY(add_saved(open_slice(start), key_reader.get_raw(key_reader.left()), value));
                                   if (runs_ && ++visited % 1024 == 0) MR_TRY(context.store->balance());
                                   return {};
                                 });
}

/// A key comes once for each run that the pane had.
Status SliceStore::add_saved(Slice& slice, std::string_view key, std::string_view value) {
  ByteReader reader(value);
  bool inserted = false;
  char* row = slice.table.insert(hash64(key), key, &inserted);
  if (inserted) {
    aggregates_->init(row);
    MR_TRY(aggregates_->load(reader, row, slice.blobs));
  } else {
    MR_TRY(merge_saved(reader, row, slice.blobs));
  }
  return reader.done() ? Status{} : make_error(ErrorCode::kCorruptState, "a row of a window's state is damaged");
}

Status SliceStore::merge_saved(ByteReader& saved, char* into, BlobPool& blobs) {
  if (!partial_) partial_ = std::make_unique<char[]>(aggregates_->bytes());
  std::memset(partial_.get(), 0, aggregates_->bytes());
  aggregates_->init(partial_.get());
  MR_TRY(aggregates_->load(saved, partial_.get(), partial_blobs_));
  aggregates_->merge(into, partial_.get(), blobs);
  aggregates_->drop(partial_.get(), partial_blobs_);
  return {};
}

size_t SliceStore::rows() const {
  size_t rows = 0;
  for (const auto& [start, slice] : slices_) rows += slice->table.size();
  return rows;
}

size_t SliceStore::bytes() const {
  size_t bytes = 0;
  for (const auto& [start, slice] : slices_) bytes += slice->table.bytes() + slice->blobs.bytes();
  return bytes;
}

}  // namespace millrace
