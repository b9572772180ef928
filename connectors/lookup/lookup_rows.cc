#include "connectors/lookup/lookup_rows.h"

#include <fmt/format.h>

#include "data/key_format.h"

namespace millrace {

Result<LookupRows> LookupRows::make(const SchemaPtr& schema) {
  LookupRows rows;
  rows.schema_ = schema;
  for (const Field& field : schema->fields) {
    MR_ASSIGN(ColumnTarget target, ColumnTarget::make(field.type, ""));
    rows.targets_.push_back(std::move(target));
  }
  rows.reset();
  return rows;
}

void LookupRows::reset() {
  columns_.clear();
  key_of_row_.clear();
  adopted_.reset();
  arena_ = std::make_shared<Arena>();
  for (size_t i = 0; i < targets_.size(); ++i) {
    columns_.push_back(make_column(*schema_->fields[i].type));
    targets_[i].attach(*columns_.back(), 64);
  }
}

Status LookupRows::add(uint32_t key, const std::vector<std::optional<std::string>>& texts) {
  const auto row = static_cast<uint32_t>(key_of_row_.size());
  for (size_t i = 0; i < targets_.size(); ++i) {
    ColumnTarget& target = targets_[i];
    const Field& field = schema_->fields[i];
    target.reserve(row);
    if (!texts[i]) {
      if (!field.type->nullable) {
        return make_error(ErrorCode::kBadRecord, fmt::format("`{}` is NULL and its type is NOT NULL", field.name));
      }
      target.set_null(row);
      continue;
    }
    const StringRef text = arena_->copy(*texts[i]);
    const TextOutcome outcome = target.set_text(row, text.view(), *arena_);
    if (outcome == TextOutcome::kOk) continue;
    return make_error(ErrorCode::kBadRecord, fmt::format("`{}`: {}", field.name, target.explain(outcome, text.view())));
  }
  key_of_row_.push_back(key);
  return {};
}

void LookupRows::finish(LookupAnswer& answer) {
  if (adopted_) {
    answer.rows = std::move(*adopted_);
    answer.key_of_row = std::move(key_of_row_);
    return reset();
  }
  answer.rows = Batch{};
  answer.rows.rows = static_cast<uint32_t>(key_of_row_.size());
  for (const auto& column : columns_) {
    column->resize(answer.rows.rows);
    answer.rows.columns.push_back(column);
  }
  answer.rows.arenas.push_back(arena_);
  answer.key_of_row = std::move(key_of_row_);
  reset();
}

LookupKeys::LookupKeys(std::vector<TypePtr> types, const JsonOutOptions& options) : types_(std::move(types)) {
  for (const TypePtr& type : types_) writers_.emplace_back(*type, options);
}

Result<std::vector<std::string>> LookupKeys::texts(std::string_view key) const {
  std::vector<std::shared_ptr<Column>> columns;
  for (const TypePtr& type : types_) columns.push_back(make_column(*type));
  Arena arena;
  if (!decode_key(key, types_, columns, arena)) return make_error(ErrorCode::kInternal, "a key cannot be decoded");
  std::vector<std::string> texts(types_.size());
  for (size_t i = 0; i < types_.size(); ++i) {
    if (columns[i]->type() == PhysicalType::kString) {
      texts[i] = columns[i]->values<StringRef>()[0].view();
      continue;
    }
    writers_[i].append(*columns[i], 0, texts[i]);
    if (texts[i].starts_with('"')) texts[i] = texts[i].substr(1, texts[i].size() - 2);  // no escapes inside
  }
  return texts;
}

void check_lookup_types(const LookupConfig& config, Position at, Diagnostics& diagnostics) {
  for (const Field& field : config.schema->fields) {
    if (field.type->physical() != PhysicalType::kList && field.type->physical() != PhysicalType::kStruct) continue;
    diagnostics.error(ErrorCode::kNotSupportedYet, at,
                      fmt::format("`{}`: {} cannot be looked up", field.name, field.type->to_string()),
                      "declare it as STRING and read it with the JSON functions");
  }
  for (const TypePtr& type : config.key_types) {
    if (type->kind != TypeKind::kBytes) continue;
    diagnostics.error(ErrorCode::kNotSupportedYet, at, "BYTES cannot be a key of a look-up");
  }
}

}  // namespace millrace
