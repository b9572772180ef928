#include "runtime/operators/keyed_rows.h"

#include "runtime/operators/backed_rows.h"

namespace millrace {

KeyedRows::KeyedRows(uint32_t value_bytes, size_t prefix_bytes)
    : state_(std::make_shared<State>(value_bytes)), prefix_bytes_(prefix_bytes) {}
KeyedRows::~KeyedRows() = default;

class KeyedRows::Part final : public SnapshotPart {
 public:
  Part(const KeyedRows& rows, StateDescriptor descriptor, uint32_t max_parallelism, Save save)
      : state_(rows.state_),
        prefix_bytes_(rows.prefix_bytes_),
        descriptor_(std::move(descriptor)),
        max_parallelism_(max_parallelism),
        save_(std::move(save)),
        view_(state_->table.freeze()) {}

  Status write(SnapshotWriter& writer) override {
    MR_TRY(writer.begin(descriptor_));
    Status status;
    ByteWriter bytes;
    view_->visit([&](uint64_t hash, std::string_view key, const char* row) {
      if (!status) return;
      bytes.clear();
      save_(row, bytes);
      const uint64_t user_hash = prefix_bytes_ == 0 ? hash : hash64(key.substr(prefix_bytes_));
      status = writer.add(key_group_of(user_hash, max_parallelism_), key, bytes.view());
    });
    view_.reset();
    return status;
  }

 private:
  std::shared_ptr<State> state_;
  size_t prefix_bytes_;
  StateDescriptor descriptor_;
  uint32_t max_parallelism_;
  Save save_;
  std::unique_ptr<TableView> view_;
};

SnapshotPartPtr KeyedRows::snapshot(const StateDescriptor& descriptor, uint32_t max_parallelism, const Save& save) {
  if (backed_) {
    if (SnapshotPartPtr part = backed_->snapshot()) return part;
  }
  return std::make_unique<Part>(*this, descriptor, max_parallelism, save);
}

Status KeyedRows::restore(const StateDescriptor& descriptor, const OperatorContext& context, const Load& load) {
  uint64_t visited = 0;
  return context.restored->visit(
      descriptor, context.key_groups, context.subtask, context.parallelism,
      [&](uint32_t /*group*/, std::string_view key, std::string_view value) -> Status {
        bool absent = false;
        char* row = table().insert(hash64(key), key, &absent);  // comes once, so the store does not have it
        ByteReader reader(value);
        const bool usable = absent && key.size() >= prefix_bytes_;
        if (usable) MR_TRY(load(row, reader));
        if (!usable || !reader.done()) {
          return make_error(ErrorCode::kCorruptState, "a row of state `" + descriptor.name + "` is damaged");
        }
        // State larger than memory leaves it again while it is read.
        if (backed_ && ++visited % 1024 == 0) MR_TRY(context.store->balance());
        return {};
      });
}

Status KeyedRows::back(const StateDescriptor& descriptor, const OperatorContext& context, Codec codec) {
  const Load load = codec.load;
  if (context.store != nullptr) {
    store_ = context.store;
    backed_ = std::make_unique<BackedRows>(*this, *context.store, context.max_parallelism, std::move(codec));
    MR_ASSIGN(holds_, backed_->open(descriptor));
  }
  if (context.restored == nullptr || holds_) return {};
  return restore(descriptor, context, load);
}

Status KeyedRows::find_or_insert(const EncodedKeys& keys, std::span<const uint32_t> which, char** values,
                                 uint8_t* inserted) {
  table().find_or_insert(keys, which, values, inserted);
  return backed_ && backed_->may_hold() ? backed_->load(keys, which, values, inserted) : Status{};
}

Result<char*> KeyedRows::find(uint64_t hash, std::string_view key) {
  if (!backed_ || !backed_->may_hold()) return table().find(hash, key);
  if (char* row = table().find(hash, key)) return row;
  bool inserted = false;
  MR_ASSIGN(char* row, insert(hash, key, &inserted));
  if (!inserted) return row;
  erase(row);  // and not the table's: that the key was erased before must still reach the store
  return nullptr;
}

Result<char*> KeyedRows::insert(uint64_t hash, std::string_view key, bool* inserted) {
  bool absent = false;
  char* row = table().insert(hash, key, &absent);
  if (absent && backed_ && backed_->may_hold()) MR_TRY(backed_->load_one(hash, key, row, absent));
  if (inserted != nullptr) *inserted = absent;
  return row;
}

bool KeyedRows::spilled() const { return backed_ && backed_->may_hold(); }

Status KeyedRows::balance() { return backed_ ? store_->balance(*backed_) : Status{}; }

Status KeyedRows::fetch(std::span<const std::string_view> keys) { return spilled() ? backed_->fetch(keys) : Status{}; }

char* KeyedRows::insert_fetched(uint64_t hash, std::string_view key, bool* inserted) {
  bool absent = false;
  char* row = table().insert(hash, key, &absent);
  if (absent && spilled()) backed_->came_back(key, row);
  if (inserted != nullptr) *inserted = absent;
  return row;
}

Status KeyedRows::visit_held(const std::function<Status(std::string_view, ByteReader&)>& visit) const {
  return holds_ ? backed_->visit(visit) : Status{};
}

void KeyedRows::erase(char* row) {
  if (backed_) backed_->forget(row);
  table().erase(KeyedTable::hash_of(row), KeyedTable::key_of(row));
}

}  // namespace millrace
