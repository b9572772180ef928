#include "connectors/raw/register.h"

#include "connectors/text/row_map.h"
#include "connectors/text/utf8.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

bool is_raw_type(const DataType& type) { return type.is_text() || type.kind == TypeKind::kBytes; }

class RawDecoder final : public Decoder {
 public:
  RawDecoder(size_t columns, bool text) : columns_(columns), text_(text) {}

  Status decode(const RecordBatch& records, DecodeResult& out) override {
    out = DecodeResult{};
    const auto count = static_cast<uint32_t>(records.records.size());
    auto column = std::make_shared<Column>(PhysicalType::kString);
    column->resize(count);
    RowMap rows(out);
    for (uint32_t i = 0; i < count; ++i) {
      const Record& record = records.records[i];
      if (!record.has_value) {
        rows.skip(i);
      } else if (text_ && !is_valid_utf8(record.value.view())) {
        rows.bad(i, "invalid UTF-8");
      } else {
        column->values<StringRef>()[rows.next()] = record.value;
        rows.take(i);
      }
    }
    column->resize(out.rows);
    if (columns_ == 1) out.columns.push_back(std::move(column));
    return {};
  }

 private:
  size_t columns_;  // 0 when nobody reads the column
  bool text_;
};

class RawEncoder final : public Encoder {
 public:
  Status encode(const Batch& batch, std::span<const uint32_t> rows, std::string& bytes,
                std::vector<size_t>& ends) override {
    const Column& column = *batch.columns[0];
    for (const uint32_t row : rows) {
      if (!column.is_null(row)) bytes += column.values<StringRef>()[row].view();
      ends.push_back(bytes.size());
    }
    return {};
  }
};

std::unexpected<Error> raw_shape_error() {
  return make_error(ErrorCode::kBadPlan, "the format raw needs exactly one column, of type STRING or BYTES");
}

}  // namespace

void register_raw(Registry& registry) {
  FormatDescriptor format;
  format.name = "raw";
  format.help = "the whole record is one column of type STRING or BYTES";
  registry.plan.formats["raw"] = std::move(format);
  registry.factories.decoders["raw"] = [](const FormatConfig&,
                                          const std::vector<DecodeColumn>& columns) -> Result<DecoderPtr> {
    if (columns.size() > 1 || (columns.size() == 1 && !is_raw_type(*columns[0].type))) return raw_shape_error();
    return std::make_unique<RawDecoder>(columns.size(), columns.size() == 1 && columns[0].type->is_text());
  };
  registry.factories.encoders["raw"] = [](const FormatConfig&, const SchemaPtr& schema,
                                          Changelog changelog) -> Result<EncoderPtr> {
    if (schema->size() != 1 || !is_raw_type(*schema->fields[0].type) || changelog != Changelog::kAppend)
      return raw_shape_error();
    return std::make_unique<RawEncoder>();
  };
}

}  // namespace millrace
