#include <algorithm>

#include "core/bytes.h"
#include "core/hash.h"
#include "data/wire.h"
#include "data/wire_format.h"

namespace millrace {
namespace {

std::unexpected<Error> wire_error(const char* what) {
  return make_error(ErrorCode::kBadMessage, std::string("a batch cannot be read: ") + what);
}

/// Reads one batch. Every count is compared with the bytes that are left before memory is taken for it.
class WireReader {
 public:
  WireReader(std::string_view payload, Arena& arena) : in_(payload), arena_(arena) {}

  ByteReader& in() { return in_; }

  template <class T>
  bool read_values(T* to, uint32_t rows) {
    const std::string_view raw = in_.get_raw(rows * uint64_t{sizeof(T)});
    if (!in_.ok()) return false;
    if (!raw.empty()) std::memcpy(to, raw.data(), raw.size());
    return true;
  }

  /// Fills an empty column of the schema's layout; sets `absent` instead when it was not written.
  bool read_column(Column& out, uint32_t rows, bool& absent) {
    const auto kind = in_.get<uint8_t>();
    absent = in_.ok() && kind == kWireColumnAbsent;
    if (!in_.ok() || absent) return in_.ok();
    if ((kind & ~kWireColumnHasNulls) != 1 + static_cast<int>(out.type())) return false;
    const size_t width = physical_width(out.type());
    if (width != 0 && rows > in_.left() / std::min<size_t>(width, sizeof(uint32_t))) return false;
    if (rows > in_.left() && out.type() != PhysicalType::kStruct) return false;
    out.resize(rows);
    if ((kind & kWireColumnHasNulls) != 0 && !read_null_bits(out, rows)) return false;
    switch (out.type()) {
      case PhysicalType::kBool:
        return read_booleans(out.values<uint8_t>(), rows);
      case PhysicalType::kInt32:
      case PhysicalType::kFloat:
        return read_values(out.values<uint32_t>(), rows);
      case PhysicalType::kInt64:
      case PhysicalType::kDouble:
        return read_values(out.values<uint64_t>(), rows);
      case PhysicalType::kInt128:
        return read_values(out.values<int128>(), rows);
      case PhysicalType::kString:
        return read_strings(out.values<StringRef>(), rows);
      case PhysicalType::kList:
        return read_lists(out, rows);
      case PhysicalType::kStruct:
        return read_children(out, rows);
    }
    return false;
  }

 private:
  bool read_null_bits(Column& out, uint32_t rows) {
    const std::string_view bits = in_.get_raw((rows + uint64_t{7}) / 8);
    if (!in_.ok()) return false;
    uint8_t* nulls = out.mutable_nulls();
    for (uint32_t i = 0; i < rows; ++i) nulls[i] = (static_cast<uint8_t>(bits[i / 8]) >> (i % 8)) & 1;
    return true;
  }

  bool read_booleans(uint8_t* to, uint32_t rows) {
    if (!read_values(to, rows)) return false;
    for (uint32_t i = 0; i < rows; ++i) to[i] = to[i] != 0 ? 1 : 0;
    return true;
  }

  bool read_strings(StringRef* to, uint32_t rows) {
    const std::string_view sizes = in_.get_raw(rows * uint64_t{sizeof(uint32_t)});
    if (!in_.ok()) return false;
    uint64_t total = 0;
    for (uint32_t i = 0; i < rows; ++i) {
      to[i] = StringRef();
      std::memcpy(&to[i].size, sizes.data() + i * sizeof(uint32_t), sizeof(uint32_t));
      total += to[i].size;
    }
    const std::string_view bytes = in_.get_raw(total);
    if (!in_.ok()) return false;
    const char* cursor = total > 0 ? arena_.copy(bytes).data : nullptr;
    for (uint32_t i = 0; i < rows; ++i) {
      if (to[i].size == 0) continue;
      to[i].data = cursor;
      cursor += to[i].size;
    }
    return true;
  }

  bool read_lists(Column& out, uint32_t rows) {
    const std::string_view lengths = in_.get_raw(rows * uint64_t{sizeof(uint32_t)});
    if (!in_.ok()) return false;
    uint64_t total = 0;
    for (uint32_t i = 0; i < rows; ++i) {
      uint32_t length = 0;
      std::memcpy(&length, lengths.data() + i * sizeof length, sizeof length);
      total += length;
      if (total > in_.left()) return false;  // an element takes a byte at least
      out.offsets()[i + 1] = static_cast<uint32_t>(total);
    }
    bool absent = false;
    return read_column(child_being_read(out, 0), static_cast<uint32_t>(total), absent) && !absent;
  }

  bool read_children(Column& out, uint32_t rows) {
    for (size_t i = 0; i < out.children().size(); ++i) {
      bool absent = false;
      if (!read_column(child_being_read(out, i), rows, absent)) return false;
      if (absent) return false;
    }
    return true;
  }

  /// Columns under construction own their children alone.
  static Column& child_being_read(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

  ByteReader in_;
  Arena& arena_;
};

}  // namespace

Result<Batch> decode_batch(std::string_view bytes, const Schema& schema) {
  if (bytes.size() < kWireHeaderBytes) return wire_error("it is too short");
  if (!bytes.starts_with(kWireMagic)) return wire_error("it is not of this version");
  uint32_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + kWireMagic.size(), sizeof checksum);
  const std::string_view payload = bytes.substr(kWireHeaderBytes);
  if (crc32c(payload) != checksum) return wire_error("the checksum does not match");

  auto arena = std::make_shared<Arena>(4096);
  WireReader reader(payload, *arena);
  const auto flags = reader.in().get<uint8_t>();
  const uint64_t rows = reader.in().get_varint();
  const uint64_t columns = reader.in().get_varint();
  if (!reader.in().ok() || rows > reader.in().left() / sizeof(int64_t))
    return wire_error("the number of rows is wrong");
  if (columns != schema.size()) return wire_error("it has another number of columns");

  Batch batch;
  batch.rows = static_cast<uint32_t>(rows);
  auto times = std::make_shared<std::vector<int64_t>>(rows);
  if (!reader.read_values(times->data(), batch.rows)) return wire_error("event times are missing");
  batch.event_times = std::move(times);
  if ((flags & kWireHasKinds) != 0) {
    auto kinds = std::make_shared<std::vector<uint8_t>>(rows);
    if (!reader.read_values(kinds->data(), batch.rows)) return wire_error("row kinds are missing");
    if (std::ranges::any_of(*kinds, [](uint8_t kind) { return kind > 3; })) return wire_error("a row kind is unknown");
    batch.kinds = std::move(kinds);
  }
  for (const Field& field : schema.fields) {
    auto column = make_column(*field.type);
    bool absent = false;
    if (!reader.read_column(*column, batch.rows, absent)) return wire_error("a column does not fit its type");
    batch.columns.push_back(absent ? nullptr : ColumnPtr(std::move(column)));
  }
  if (!reader.in().done()) return wire_error("there are bytes behind its end");
  batch.arenas.push_back(std::move(arena));
  return batch;
}

}  // namespace millrace
