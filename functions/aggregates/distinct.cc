#include "functions/aggregates/distinct.h"

#include <algorithm>

#include "core/hash.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/value_bytes.h"
#include "functions/aggregates/value_set.h"

namespace millrace {

namespace {

constexpr uint32_t kInnerOffset = 32;  // behind the set, 16-byte aligned
static_assert(sizeof(ValueSet) <= kInnerOffset);

class DistinctAggregate final : public AggregateFunction {
 public:
  DistinctAggregate(std::span<const TypePtr> types, std::unique_ptr<AggregateFunction> inner)
      : values_(types), inner_(std::move(inner)) {}

  [[nodiscard]] uint32_t bytes() const override { return kInnerOffset + inner_->bytes(); }
  void init(char* state) const override { inner_->init(state + kInnerOffset); }

  void update(const AggregateInput& in, BlobPool& blobs) override {
    const EncodedKeys& encoded = values_.encode(in.args, in.rows);
    rows_.clear();
    states_.clear();
    positions_.clear();
    for (size_t i = 0; i < in.rows.size(); ++i) {
      const uint32_t row = in.rows[i];
      const bool null = std::ranges::any_of(in.args, [row](const ColumnPtr& arg) { return arg->is_null(row); });
      if (null || !state_of<ValueSet>(in.states[i]).insert(encoded.hashes[i], encoded.keys[i], blobs)) continue;
      rows_.push_back(row);
      positions_.push_back(in.positions != nullptr ? in.positions[i] : static_cast<uint32_t>(i));
      states_.push_back(in.states[i] + kInnerOffset);
    }
    inner_->update({in.args, rows_, states_, nullptr, in.first_arrival, positions_.data()}, blobs);
  }

  void merge(char* into, const char* from, BlobPool& blobs) override {
    std::vector<std::shared_ptr<Column>> columns;
    for (const TypePtr& type : values_.types()) columns.push_back(make_column(*type));
    Arena arena;
    auto& set = state_of<ValueSet>(into);
    rows_.clear();
    state_of<ValueSet>(from).visit([&](uint64_t hash, std::string_view bytes) {
      if (!set.insert(hash, bytes, blobs)) return;
      values_.decode(bytes, columns, arena);
      rows_.push_back(static_cast<uint32_t>(rows_.size()));
    });
    states_.assign(rows_.size(), into + kInnerOffset);
    const std::vector<ColumnPtr> args(columns.begin(), columns.end());
    inner_->update({args, rows_, states_, nullptr, 0}, blobs);
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& errors) override {
    std::vector<const char*> inner(states.begin(), states.end());
    for (const char*& state : inner) state += kInnerOffset;
    inner_->finish(inner, out, first_row, arena, errors);
  }

  void drop(char* state, BlobPool& blobs) const override {
    state_of<ValueSet>(state).release(blobs);
    inner_->drop(state + kInnerOffset, blobs);
  }

  void save(const char* state, ByteWriter& out) const override {
    const auto& set = state_of<ValueSet>(state);
    out.put_varint(set.size());
    set.visit([&out](uint64_t /*hash*/, std::string_view bytes) { out.put_string(bytes); });
    inner_->save(state + kInnerOffset, out);
  }

  Status load(ByteReader& in, char* state, BlobPool& blobs) const override {
    const uint64_t count = in.get_varint();
    for (uint64_t i = 0; i < count && in.ok(); ++i) {
      const std::string_view bytes = in.get_string();
      state_of<ValueSet>(state).insert(hash64(bytes), bytes, blobs);
    }
    return in.ok() ? inner_->load(in, state + kInnerOffset, blobs) : truncated_state();
  }

 private:
  ValueBytes values_;
  std::unique_ptr<AggregateFunction> inner_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> positions_;
  std::vector<char*> states_;
};

}  // namespace

std::unique_ptr<AggregateFunction> make_distinct(std::span<const TypePtr> types,
                                                 std::unique_ptr<AggregateFunction> inner) {
  return std::make_unique<DistinctAggregate>(types, std::move(inner));
}

}  // namespace millrace
