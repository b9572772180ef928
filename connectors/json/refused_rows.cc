#include "connectors/json/refused_rows.h"

#include <algorithm>
#include <span>

#include "connectors/json/json_encoder.h"
#include "core/status.h"
#include "plan/job_graph.h"

namespace millrace {

void RefusedRows::add(const Batch& batch, const Schema& schema, uint32_t row, std::string error) {
  std::string text;
  for (size_t i = 0; i < schema.size(); ++i) {
    text += i == 0 ? '{' : ',';
    append_json_utf8(text, schema.fields[i].name);
    text += ':';
    JsonValueWriter(*schema.fields[i].type, {}).append(*batch.columns[i], row, text);
  }
  texts_.push_back(text + "}");
  errors_.push_back(std::move(error));
  event_times_.push_back((*batch.event_times)[row]);
}

Batch RefusedRows::finish() {
  const auto rows = static_cast<uint32_t>(errors_.size());
  const auto arena = std::make_shared<Arena>();
  Batch batch;
  batch.rows = rows;
  for (const Field& field : step_dead_letter_schema()->fields) {
    auto column = make_column(*field.type);
    column->resize(rows);
    if (column->type() == PhysicalType::kInt64) {
      std::ranges::fill(std::span(column->values<int64_t>(), rows), failed_at_ms_);
    } else {
      StringRef* values = column->values<StringRef>();
      for (uint32_t i = 0; i < rows; ++i) {
        values[i] = field.name == "step"    ? arena->copy(sink_)
                    : field.name == "code"  ? arena->copy(error_info(ErrorCode::kOutputRefused).code)
                    : field.name == "error" ? arena->copy(errors_[i])
                                            : arena->copy(texts_[i]);
      }
    }
    batch.columns.push_back(std::move(column));
  }
  batch.event_times = std::make_shared<const std::vector<int64_t>>(std::move(event_times_));
  batch.arenas.push_back(arena);
  return batch;
}

}  // namespace millrace
