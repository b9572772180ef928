#include "data/key_format.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/hash.h"

namespace millrace {
namespace {

constexpr char kNullTag = 0;
constexpr char kValueTag = 1;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

double canonical(double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::quiet_NaN();
  return value == 0 ? 0.0 : value;
}

void encode_value(const Column& column, uint32_t row, std::string& out);

void encode_list(const Column& column, uint32_t row, std::string& out) {
  const uint32_t begin = column.offsets()[row];
  const uint32_t end = column.offsets()[row + 1];
  put(out, end - begin);
  for (uint32_t e = begin; e < end; ++e) encode_value(*column.children()[0], e, out);
}

void encode_value(const Column& column, uint32_t row, std::string& out) {
  if (column.is_null(row)) {
    out.push_back(kNullTag);
    return;
  }
  out.push_back(kValueTag);
  switch (column.type()) {
    case PhysicalType::kBool:
      put(out, static_cast<int64_t>(column.values<uint8_t>()[row] != 0));
      break;
    case PhysicalType::kInt32:
      put(out, static_cast<int64_t>(column.values<int32_t>()[row]));
      break;
    case PhysicalType::kInt64:
      put(out, column.values<int64_t>()[row]);
      break;
    case PhysicalType::kFloat:
      put(out, canonical(static_cast<double>(column.values<float>()[row])));
      break;
    case PhysicalType::kDouble:
      put(out, canonical(column.values<double>()[row]));
      break;
    case PhysicalType::kInt128:
      put(out, column.values<int128>()[row]);
      break;
    case PhysicalType::kString: {
      const StringRef& text = column.values<StringRef>()[row];
      put(out, text.size);
      out.append(text.data, text.size);
      break;
    }
    case PhysicalType::kList:
      encode_list(column, row, out);
      break;
    case PhysicalType::kStruct:
      put(out, static_cast<uint32_t>(column.children().size()));
      for (const ColumnPtr& child : column.children()) encode_value(*child, row, out);
      break;
  }
}

/// One 64-bit key column: every key is 9 bytes (1 for NULL), written without a call per row.
template <class T>
void encode_integers(const Batch& batch, const Column& column, EncodedKeys& out) {
  const uint32_t count = batch.selected();
  const T* values = column.values<T>();
  out.bytes.resize(count * 9UL);
  char* to = out.bytes.data();
  uint32_t i = 0;
  for_each_row(batch, [&](uint32_t row) {
    const bool null = column.is_null(row);
    const auto value = static_cast<int64_t>(values[row]);
    to[0] = null ? kNullTag : kValueTag;
    std::memcpy(to + 1, &value, sizeof value);
    out.keys[i] = {to, null ? size_t{1} : size_t{9}};
    out.hashes[i++] = hash64({to, null ? size_t{1} : size_t{9}});
    to += 9;
  });
}

/// One string column: the size is known beforehand, so the bytes are written once.
void encode_strings(const Batch& batch, const Column& column, EncodedKeys& out) {
  const StringRef* values = column.values<StringRef>();
  size_t bytes = 0;
  for_each_row(batch, [&](uint32_t row) { bytes += 5UL + values[row].size; });
  out.bytes.resize(bytes);
  char* to = out.bytes.data();
  uint32_t i = 0;
  for_each_row(batch, [&](uint32_t row) {
    size_t size = 1;
    if (column.is_null(row)) {
      to[0] = kNullTag;
    } else {
      const StringRef& text = values[row];
      to[0] = kValueTag;
      std::memcpy(to + 1, &text.size, sizeof text.size);
      std::memcpy(to + 5, text.data, text.size);
      size = 5UL + text.size;
    }
    out.keys[i] = {to, size};
    out.hashes[i++] = hash64({to, size});
    to += size;
  });
}

void encode_general(const Batch& batch, std::span<const uint32_t> key_columns, EncodedKeys& out) {
  std::vector<size_t> ends;
  ends.reserve(batch.selected());
  out.bytes.clear();
  for_each_row(batch, [&](uint32_t row) {
    for (const uint32_t column : key_columns) encode_value(*batch.columns[column], row, out.bytes);
    ends.push_back(out.bytes.size());
  });
  size_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    out.keys[i] = std::string_view(out.bytes).substr(begin, ends[i] - begin);
    out.hashes[i] = hash64(out.keys[i]);
    begin = ends[i];
  }
}

}  // namespace

void encode_keys(const Batch& batch, const Schema& schema, std::span<const uint32_t> key_columns, EncodedKeys& out) {
  (void)schema;
  out.keys.resize(batch.selected());
  out.hashes.resize(batch.selected());
  if (key_columns.size() == 1) {
    const Column& column = *batch.columns[key_columns[0]];
    if (column.type() == PhysicalType::kInt64) return encode_integers<int64_t>(batch, column, out);
    if (column.type() == PhysicalType::kInt32) return encode_integers<int32_t>(batch, column, out);
    if (column.type() == PhysicalType::kString) return encode_strings(batch, column, out);
  }
  encode_general(batch, key_columns, out);
}

namespace {

/// Columns being built own their children alone.
Column& own_child(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

class KeyDecoder {
 public:
  KeyDecoder(std::string_view key, Arena& arena) : key_(key), arena_(arena) {}

  bool value(Column& out) {
    const auto tag = get<char>();
    if (!ok_ || (tag != kNullTag && tag != kValueTag)) return false;
    const uint32_t row = out.size();
    out.resize(row + 1);
    if (tag == kNullTag) {
      out.set_null(row);
      for (size_t i = 0; out.type() == PhysicalType::kStruct && i < out.children().size(); ++i)
        append_null(own_child(out, i));
      return true;
    }
    return present(out, row) && ok_;
  }
  [[nodiscard]] bool done() const { return ok_ && key_.empty(); }

 private:
  static void append_null(Column& out) {
    out.resize(out.size() + 1);
    out.set_null(out.size() - 1);
    for (size_t i = 0; out.type() == PhysicalType::kStruct && i < out.children().size(); ++i)
      append_null(own_child(out, i));
  }

  template <class T>
  T get() {
    T result{};
    if (key_.size() < sizeof result) {
      ok_ = false;
      return result;
    }
    std::memcpy(&result, key_.data(), sizeof result);
    key_.remove_prefix(sizeof result);
    return result;
  }

  bool present(Column& out, uint32_t row) {
    switch (out.type()) {
      case PhysicalType::kBool:
        out.values<uint8_t>()[row] = get<int64_t>() != 0 ? 1 : 0;
        return ok_;
      case PhysicalType::kInt32:
        out.values<int32_t>()[row] = static_cast<int32_t>(get<int64_t>());
        return ok_;
      case PhysicalType::kInt64:
        out.values<int64_t>()[row] = get<int64_t>();
        return ok_;
      case PhysicalType::kFloat:
        out.values<float>()[row] = static_cast<float>(get<double>());
        return ok_;
      case PhysicalType::kDouble:
        out.values<double>()[row] = get<double>();
        return ok_;
      case PhysicalType::kInt128:
        out.values<int128>()[row] = get<int128>();
        return ok_;
      case PhysicalType::kString:
        return text(out, row);
      case PhysicalType::kList:
        return list(out, row);
      case PhysicalType::kStruct: {
        if (get<uint32_t>() != out.children().size()) return false;
        for (size_t i = 0; i < out.children().size(); ++i) {
          if (!value(own_child(out, i))) return false;
        }
        return true;
      }
    }
    return false;
  }

  bool text(Column& out, uint32_t row) {
    const auto size = get<uint32_t>();
    if (!ok_ || key_.size() < size) return false;
    out.values<StringRef>()[row] = arena_.copy(key_.substr(0, size));
    key_.remove_prefix(size);
    return true;
  }

  bool list(Column& out, uint32_t row) {
    const auto count = get<uint32_t>();
    for (uint32_t i = 0; ok_ && i < count; ++i) {
      if (!value(own_child(out, 0))) return false;
    }
    out.offsets()[row + 1] = out.children()[0]->size();
    return ok_;
  }

  std::string_view key_;
  Arena& arena_;
  bool ok_ = true;
};

}  // namespace

bool decode_key(std::string_view key, std::span<const TypePtr> types, std::span<const std::shared_ptr<Column>> out,
                Arena& arena) {
  KeyDecoder decoder(key, arena);
  for (size_t i = 0; i < types.size(); ++i) {
    if (!decoder.value(*out[i])) return false;
  }
  return decoder.done();
}

KeyGroupRange key_group_range(uint32_t max_parallelism, uint32_t parallelism, uint32_t index) {
  const auto bound = [&](uint64_t i) {
    return static_cast<uint32_t>((i * max_parallelism + parallelism - 1) / parallelism);
  };
  return {bound(index), bound(index + 1UL)};
}

uint32_t owner_of_key_group(uint32_t group, uint32_t max_parallelism, uint32_t parallelism) {
  return static_cast<uint32_t>(static_cast<uint64_t>(group) * parallelism / max_parallelism);
}

}  // namespace millrace
