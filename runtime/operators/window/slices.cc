#include "runtime/operators/window/slices.h"

#include "core/hash.h"

namespace millrace {

Slice& SliceStore::open_slice(int64_t start) {
  SlicePtr& slice = slices_[start];
  if (!slice) slice = make_slice();
  return *slice;
}

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
  auto part = std::make_unique<SliceSnapshot>(state, aggregates_, max_parallelism);
  for (const auto& [start, slice] : slices_) part->add(start, slice);
  return part;
}

Status SliceStore::restore(const StateDescriptor& state, const OperatorContext& context) {
  return context.restored->visit(state, context.key_groups, context.subtask, context.parallelism,
                                 [this](uint32_t /*group*/, std::string_view key, std::string_view value) -> Status {
                                   ByteReader key_reader(key);
                                   const auto start = key_reader.get<int64_t>();
                                   if (!key_reader.ok())
                                     return make_error(ErrorCode::kCorruptState, "a window's state key is truncated");
                                   const std::string_view bytes = key_reader.get_raw(key_reader.left());
                                   Slice& slice = open_slice(start);
                                   bool inserted = false;
                                   char* row = slice.table.insert(hash64(bytes), bytes, &inserted);
                                   if (!inserted)
                                     return make_error(ErrorCode::kCorruptState, "a window's state has a key twice");
                                   aggregates_->init(row);
                                   ByteReader reader(value);
                                   return aggregates_->load(reader, row, slice.blobs);
                                 });
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
