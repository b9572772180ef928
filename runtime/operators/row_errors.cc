#include "runtime/operators/row_errors.h"

#include <algorithm>
#include <span>

#include "runtime/operators/binding.h"
#include "runtime/operators/row_text.h"

namespace millrace {

RowErrorHandler::RowErrorHandler(const Node& node)
    : on_error_(node.on_error), port_(find_port(node, "dead_letter")), step_(node.id) {}

void RowErrorHandler::open(const OperatorContext& context) {
  clock_ = context.clock;
  metrics_ = context.metrics;
}

Status RowErrorHandler::handle(const Batch& batch, const Schema& schema, RowErrors& errors,
                               std::vector<uint32_t>& rows) {
  if (errors.empty()) return {};
  if (on_error_ == OnError::kFail) {
    const auto& [row, message] = errors.rows().front();
    return make_error(ErrorCode::kEvaluation, message + " in row " + row_text(batch, schema, row),
                      "`on_error: skip` or `dead_letter` goes on without such rows");
  }
  uint32_t failed = 0;
  for (const auto& [row, message] : errors.rows()) {
    if (!std::ranges::binary_search(rows, row)) continue;
    ++failed;
    if (on_error_ == OnError::kDeadLetter) add_dead_letter(batch, schema, row, message);
  }
  std::erase_if(rows, [&errors](uint32_t row) { return errors.contains(row); });
  if (metrics_.errors) metrics_.errors->add(failed);
  errors.clear();
  return {};
}

void RowErrorHandler::add_dead_letter(const Batch& batch, const Schema& schema, uint32_t row,
                                      const std::string& message) {
  if (metrics_.dead_letter_records) metrics_.dead_letter_records->add(1);
  if (port_ < 0) return;
  messages_.push_back(message);
  texts_.push_back(row_text(batch, schema, row));
  event_times_.push_back((*batch.event_times)[row]);
}

void RowErrorHandler::flush(Output& out) {
  if (messages_.empty()) return;
  const auto rows = static_cast<uint32_t>(messages_.size());
  const SchemaPtr schema = step_dead_letter_schema();
  const auto arena = std::make_shared<Arena>();
  Batch batch;
  batch.rows = rows;
  for (const Field& field : schema->fields) {
    auto column = make_column(*field.type);
    column->resize(rows);
    if (column->type() == PhysicalType::kInt64) {
      std::ranges::fill(std::span(column->values<int64_t>(), rows), clock_ != nullptr ? clock_->wall_ms() : 0);
    } else {
      StringRef* values = column->values<StringRef>();
      for (uint32_t i = 0; i < rows; ++i) {
        values[i] = field.name == "step"    ? arena->copy(step_)
                    : field.name == "code"  ? arena->copy(error_info(ErrorCode::kEvaluation).code)
                    : field.name == "error" ? arena->copy(messages_[i])
                                            : arena->copy(texts_[i]);
      }
    }
    batch.columns.push_back(std::move(column));
  }
  batch.event_times = std::make_shared<const std::vector<int64_t>>(std::move(event_times_));
  batch.arenas.push_back(arena);
  messages_.clear();
  texts_.clear();
  event_times_ = {};
  out.emit(static_cast<uint32_t>(port_), std::move(batch));
}

}  // namespace millrace
