#include "functions/aggregates/lists.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "functions/aggregates/distinct.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"
#include "functions/aggregates/value_bytes.h"

namespace millrace {

namespace {

struct ListItem {
  uint64_t arrival = 0;
  std::string bytes;
};

constexpr size_t kItemHeader = sizeof(BlobRef) + sizeof(uint64_t);

BlobRef item_before(BlobRef blob) {
  BlobRef before;
  std::memcpy(static_cast<void*>(&before), blob.view().data(), sizeof before);
  return before;
}

uint64_t item_arrival(BlobRef blob) {
  uint64_t arrival = 0;
  std::memcpy(&arrival, blob.view().data() + sizeof(BlobRef), sizeof arrival);
  return arrival;
}

void release_items(ListState& state, BlobPool& blobs) {
  for (BlobRef blob = state.newest; !blob.empty();) {
    const BlobRef before = item_before(blob);
    blobs.release(blob);
    blob = before;
  }
  state = ListState{};
}

}  // namespace

void push_item(ListState& state, uint64_t arrival, std::string_view bytes, BlobPool& blobs) {
  std::string block(kItemHeader, '\0');
  std::memcpy(block.data(), static_cast<const void*>(&state.newest), sizeof state.newest);
  std::memcpy(block.data() + sizeof(BlobRef), &arrival, sizeof arrival);
  block.append(bytes);
  state.newest = blobs.add(block);
  ++state.count;
}

std::vector<std::pair<uint64_t, std::string_view>> list_items(const ListState& state) {
  std::vector<std::pair<uint64_t, std::string_view>> items;
  items.reserve(state.count);
  for (BlobRef blob = state.newest; !blob.empty(); blob = item_before(blob)) {
    items.emplace_back(item_arrival(blob), blob.view().substr(kItemHeader));
  }
  std::ranges::reverse(items);
  return items;
}

void ListBase::merge(char* into, const char* from, BlobPool& blobs) {
  auto& a = state_of<ListState>(into);
  const auto& b = state_of<ListState>(from);
  if (b.count == 0) return;
  const auto added = list_items(b);
  if (a.count == 0 || item_arrival(a.newest) <= added.front().first) {
    for (const auto& [arrival, bytes] : added) push_item(a, arrival, bytes, blobs);
    return;
  }
  std::vector<ListItem> all;
  for (const auto& [arrival, bytes] : list_items(a)) all.push_back({arrival, std::string(bytes)});
  for (const auto& [arrival, bytes] : added) all.push_back({arrival, std::string(bytes)});
  std::ranges::stable_sort(all, {}, &ListItem::arrival);
  release_items(a, blobs);
  for (const ListItem& item : all) push_item(a, item.arrival, item.bytes, blobs);
}

void ListBase::drop(char* state, BlobPool& blobs) const { release_items(state_of<ListState>(state), blobs); }

void ListBase::save(const char* state, ByteWriter& out) const {
  const auto items = list_items(state_of<ListState>(state));
  out.put_varint(items.size());
  for (const auto& [arrival, bytes] : items) {
    out.put(arrival);
    out.put_string(bytes);
  }
}

Status ListBase::load(ByteReader& in, char* state, BlobPool& blobs) const {
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const auto arrival = in.get<uint64_t>();
    push_item(state_of<ListState>(state), arrival, in.get_string(), blobs);
  }
  return in.ok() ? Status{} : truncated_state();
}

namespace {

/// An item is its separator (as a counted string) and its text; the first separator is not written.
class ListAggregate final : public ListBase {
 public:
  void update(const AggregateInput& in, BlobPool& blobs) override {
    const StringRef* separators = in.args.size() > 1 ? in.args[1]->values<StringRef>() : nullptr;
    each_value<StringRef>(in, [&](char* bytes, const StringRef& value, size_t i, int64_t /*sign*/) {
      ByteWriter item;
      item.put_string(separators != nullptr ? separators[in.rows[i]].view() : std::string_view(","));
      item.put_raw(value.view());
      push_item(state_of<ListState>(bytes), in.arrival(i), item.view(), blobs);
    });
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    std::string text;
    for (size_t i = 0; i < states.size(); ++i) {
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const auto& state = state_of<ListState>(states[i]);
      if (state.count == 0) {
        out.set_null(row);
        continue;
      }
      text.clear();
      bool first = true;
      for (const auto& [arrival, bytes] : list_items(state)) {
        ByteReader item(bytes);
        const std::string_view separator = item.get_string();
        if (!first) text.append(separator);
        text.append(item.get_raw(item.left()));
        first = false;
      }
      out.values<StringRef>()[row] = arena.copy(text);
    }
  }
};

/// NULLs are kept; an item is a value in key format.
class ArrayAggregate final : public ListBase {
 public:
  explicit ArrayAggregate(std::span<const TypePtr> types) : values_(types) {}

  void update(const AggregateInput& in, BlobPool& blobs) override {
    const EncodedKeys& encoded = values_.encode(in.args, in.rows);
    for (size_t i = 0; i < in.rows.size(); ++i) {
      push_item(state_of<ListState>(in.states[i]), in.arrival(i), encoded.keys[i], blobs);
    }
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    const auto child = std::const_pointer_cast<Column>(out.children()[0]);
    out.resize(first_row + static_cast<uint32_t>(states.size()));
    for (size_t i = 0; i < states.size(); ++i) {
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const auto& state = state_of<ListState>(states[i]);
      for (const auto& [arrival, bytes] : list_items(state)) values_.decode(bytes, {&child, 1}, arena);
      out.offsets()[row + 1] = child->size();
      if (state.count == 0) out.set_null(row);
    }
  }

 private:
  ValueBytes values_;
};

std::unique_ptr<AggregateFunction> make_listagg(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                bool distinct, const void* /*bound*/) {
  auto list = std::make_unique<ListAggregate>();
  if (!distinct) return list;
  return make_distinct(types, std::move(list));
}

std::unique_ptr<AggregateFunction> make_array_agg(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                  bool distinct, const void* /*bound*/) {
  auto list = std::make_unique<ArrayAggregate>(types);
  if (!distinct) return list;
  return make_distinct(types, std::move(list));
}

Result<ResolvedCall> resolve_listagg(std::span<const TypePtr> types) {
  if (types.empty() || types.size() > 2) {
    return make_error(ErrorCode::kTypeMismatch, "LISTAGG takes a value and a separator");
  }
  for (const TypePtr& type : types) {
    if (!type->is_text()) return wrong_argument("LISTAGG", *type, "STRING");
  }
  return ResolvedCall{make_string(), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_array_agg(std::span<const TypePtr> types) {
  MR_TRY(one_argument("ARRAY_AGG", types));
  if (types[0]->kind == TypeKind::kNull) return wrong_argument("ARRAY_AGG", *types[0], "a value with a type");
  return ResolvedCall{make_array(types[0]), {types[0]}, nullptr};
}

}  // namespace

void register_lists(FunctionRegistry& functions) {
  add_aggregate(functions, "LISTAGG",
                "Texts joined in order of arrival, by `,` or the second argument; NULLs are skipped.", resolve_listagg,
                make_listagg, true);
  add_aggregate(functions, "ARRAY_AGG", "Values in order of arrival, NULLs among them.", resolve_array_agg,
                make_array_agg, true);
}

}  // namespace millrace
