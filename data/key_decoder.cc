// decode_key: reads key format 1 back into columns (results of keyed operators, `state scan`).
#include "core/bytes.h"
#include "data/key_format.h"

namespace millrace {
namespace {

/// Columns under construction own their children alone.
Column& own_child(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

/// One more row in every column of the tree, NULL.
void append_null_row(Column& out) {
  const uint32_t row = out.size();
  out.resize(row + 1);
  out.set_null(row);
  if (out.type() != PhysicalType::kStruct) return;
  for (size_t i = 0; i < out.children().size(); ++i) append_null_row(own_child(out, i));
}

template <class T>
void append_fixed_row(Column& out, T value) {
  const uint32_t row = out.size();
  out.resize(row + 1);
  out.values<T>()[row] = value;
}

bool decode_value(ByteReader& in, Column& out, Arena& arena);

bool decode_nested(ByteReader& in, Column& out, Arena& arena) {
  const auto count = in.get<uint32_t>();
  if (count > in.left()) return false;  // every element takes at least a byte
  const uint32_t row = out.size();
  if (out.type() == PhysicalType::kStruct) {
    if (count != out.children().size()) return false;
    for (size_t i = 0; i < count; ++i) {
      if (!decode_value(in, own_child(out, i), arena)) return false;
    }
    out.resize(row + 1);
    return true;
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (!decode_value(in, own_child(out, 0), arena)) return false;
  }
  out.resize(row + 1);
  out.offsets()[row + 1] = out.offsets()[row] + count;
  return true;
}

bool decode_value(ByteReader& in, Column& out, Arena& arena) {
  const auto tag = in.get<uint8_t>();
  if (!in.ok() || tag > 1) return false;
  if (tag == 0) {
    append_null_row(out);
    return true;
  }
  switch (out.type()) {
    case PhysicalType::kBool:
      append_fixed_row<uint8_t>(out, in.get<int64_t>() != 0 ? 1 : 0);
      break;
    case PhysicalType::kInt32:
      append_fixed_row(out, static_cast<int32_t>(in.get<int64_t>()));
      break;
    case PhysicalType::kInt64:
      append_fixed_row(out, in.get<int64_t>());
      break;
    case PhysicalType::kFloat:
      append_fixed_row(out, static_cast<float>(in.get<double>()));
      break;
    case PhysicalType::kDouble:
      append_fixed_row(out, in.get<double>());
      break;
    case PhysicalType::kInt128:
      append_fixed_row(out, in.get<int128>());
      break;
    case PhysicalType::kString: {
      const auto size = in.get<uint32_t>();
      append_fixed_row(out, arena.copy(in.get_raw(size)));
      break;
    }
    case PhysicalType::kList:
    case PhysicalType::kStruct:
      return decode_nested(in, out, arena);
  }
  return in.ok();
}

}  // namespace

bool decode_key(std::string_view key, std::span<const TypePtr> types, std::span<const std::shared_ptr<Column>> out,
                Arena& arena) {
  MR_CHECK(types.size() == out.size(), "a column for each key type");
  ByteReader in(key);
  for (const auto& column : out) {
    if (!decode_value(in, *column, arena)) return false;
  }
  return in.done();
}

}  // namespace millrace
