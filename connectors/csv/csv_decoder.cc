#include "connectors/csv/csv_format.h"

#include <algorithm>

#include "connectors/text/column_target.h"
#include "connectors/text/row_map.h"
#include "connectors/text/utf8.h"

namespace millrace {
namespace {

class CsvDecoder final : public Decoder {
 public:
  CsvDecoder(CsvOptions options, std::vector<DecodeColumn> columns, std::vector<ColumnTarget> targets)
      : options_(options), columns_(std::move(columns)), targets_(std::move(targets)) {
    place_by_ordinal();
  }

  Status decode(const RecordBatch& records, DecodeResult& out) override {
    out = DecodeResult{};
    if (records.header != header_) MR_TRY(read_header(records));
    const auto count = static_cast<uint32_t>(records.records.size());
    std::vector<std::shared_ptr<Column>> columns;
    for (size_t i = 0; i < targets_.size(); ++i) {
      columns.push_back(make_column(*columns_[i].type));
      targets_[i].attach(*columns[i], count);
    }
    auto arena = std::make_shared<Arena>(16 * 1024);
    RowMap rows(out);
    std::string problem;
    for (uint32_t i = 0; i < count; ++i) {
      const Record& record = records.records[i];
      if (!record.has_value) {
        rows.skip(i);
      } else if (decode_row(record.value.view(), rows.next(), *arena, problem)) {
        rows.take(i);
      } else {
        rows.bad(i, std::move(problem));
      }
    }
    for (auto& column : columns) {
      column->resize(out.rows);
      out.columns.push_back(std::move(column));
    }
    if (arena->bytes() > 0) out.arenas.push_back(std::move(arena));
    return {};
  }

 private:
  void place_by_ordinal() {
    places_.clear();
    for (size_t i = 0; i < columns_.size(); ++i)
      places_.push_back(columns_[i].ordinal >= 0 ? static_cast<size_t>(columns_[i].ordinal) : i);
  }

  Status read_header(const RecordBatch& records) {
    header_ = records.header;
    if (!header_) {
      place_by_ordinal();
      return {};
    }
    Arena arena;
    std::vector<CsvField> names;
    std::string_view line = *header_;
    if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);  // byte order mark
    if (!split_csv(line, options_.delimiter, names, arena))
      return make_error(ErrorCode::kBadRecord, "the header line of " + records.topic + " is not CSV");
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& wanted = columns_[i].path.empty() ? columns_[i].name : columns_[i].path.back();
      const auto found =
          std::find_if(names.begin(), names.end(), [&](const CsvField& name) { return name.text == wanted; });
      places_[i] = static_cast<size_t>(found - names.begin());  // behind the end: NULL
    }
    return {};
  }

  bool decode_row(std::string_view record, uint32_t row, Arena& arena, std::string& problem) {
    if (!is_valid_utf8(record)) {
      problem = "invalid UTF-8";
      return false;
    }
    if (!split_csv(record, options_.delimiter, fields_, arena)) {
      problem = "malformed CSV: a quote is not closed or stands inside a field";
      return false;
    }
    for (size_t i = 0; i < targets_.size(); ++i) {
      ColumnTarget& target = targets_[i];
      const bool absent = places_[i] >= fields_.size();
      if (absent || (fields_[places_[i]].text.empty() && !fields_[places_[i]].quoted)) {
        if (!columns_[i].type->nullable) {
          problem = "column `" + columns_[i].name + "`: NULL, but the column is NOT NULL";
          return false;
        }
        target.set_null(row);
        continue;
      }
      const std::string_view text = fields_[places_[i]].text;
      const TextOutcome outcome = target.set_text(row, text, arena);
      if (outcome != TextOutcome::kOk) {
        problem = "column `" + columns_[i].name + "`: " + target.explain(outcome, text);
        return false;
      }
    }
    return true;
  }

  CsvOptions options_;
  std::vector<DecodeColumn> columns_;
  std::vector<ColumnTarget> targets_;
  std::vector<size_t> places_;  // field of each column
  std::vector<CsvField> fields_;
  std::shared_ptr<const std::string> header_;
};

}  // namespace

Result<DecoderPtr> make_csv_decoder(const CsvOptions& options, const std::vector<DecodeColumn>& columns) {
  std::vector<ColumnTarget> targets;
  for (const DecodeColumn& column : columns) {
    MR_ASSIGN(ColumnTarget target, ColumnTarget::make(column.type, column.time_format));
    const Conversion conversion = target.conversion();
    if (conversion == Conversion::kArray || conversion == Conversion::kMap || conversion == Conversion::kRow)
      return make_error(ErrorCode::kNotSupportedYet,
                        "CSV cannot hold column `" + column.name + "` of type " + column.type->to_string());
    targets.push_back(std::move(target));
  }
  return std::make_unique<CsvDecoder>(options, columns, std::move(targets));
}

}  // namespace millrace
