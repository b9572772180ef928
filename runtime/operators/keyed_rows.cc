#include "runtime/operators/keyed_rows.h"

namespace millrace {

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

SnapshotPartPtr KeyedRows::snapshot(StateDescriptor descriptor, uint32_t max_parallelism, Save save) const {
  return std::make_unique<Part>(*this, std::move(descriptor), max_parallelism, std::move(save));
}

Status KeyedRows::restore(const StateDescriptor& descriptor, const OperatorContext& context, const Load& load) {
  return context.restored->visit(descriptor, context.key_groups, context.subtask, context.parallelism,
                                 [&](uint32_t /*group*/, std::string_view key, std::string_view value) -> Status {
                                   bool inserted = false;
                                   char* row = table().insert(hash64(key), key, &inserted);
                                   ByteReader reader(value);
                                   const bool usable = inserted && key.size() >= prefix_bytes_;
                                   if (usable) MR_TRY(load(row, reader));
                                   if (usable && reader.done()) return {};
                                   return make_error(ErrorCode::kCorruptState,
                                                     "a row of state `" + descriptor.name + "` is damaged");
                                 });
}

}  // namespace millrace
