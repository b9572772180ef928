#include "runtime/state_rows/key_values.h"

#include <fmt/format.h>

#include "data/key_format.h"
#include "runtime/expr/evaluator.h"

namespace millrace {

namespace {

std::string quoted_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out.push_back('\'');
    out.push_back(c);
  }
  return out + "'";
}

Result<ColumnPtr> read_value(const Field& field, const std::string& text, const FunctionRegistry& functions,
                             const ArenaPtr& arena) {
  const auto bad = [&](const std::string& why) {
    return make_error(ErrorCode::kBadValue, fmt::format("`{}` is no {} for the key column `{}`: {}", text,
                                                        field.type->to_string(), field.name, why));
  };
  const std::string expression = fmt::format("CAST({} AS {})", quoted_literal(text), field.type->to_string());
  auto compiled = compile_expression(expression, Scope{}, functions);
  if (!compiled) return bad(compiled.error().message);
  MR_ASSIGN(auto evaluator, Evaluator::make({*compiled}));
  Batch one;
  one.rows = 1;
  one.event_times = std::make_shared<const std::vector<int64_t>>(1, 0);
  RowErrors errors;
  std::vector<ColumnPtr> columns;
  evaluator->evaluate(one, columns, arena, errors);
  if (!errors.empty()) return bad(errors.rows().front().second);
  return columns.front();
}

}  // namespace

KeyPlace find_key(const StateSchema& schema) {
  KeyPlace place;
  for (const StateField& field : schema.key) {
    if (field.form == StateForm::kKey || field.form == StateForm::kKeyAlone) {
      place.key = &field;
      return place;
    }
    if (field.form != StateForm::kInt64 && field.form != StateForm::kTime) return {};
    place.offset += sizeof(int64_t);
  }
  return {};
}

Result<EncodedKey> encode_key_values(const StateSchema& schema, const std::map<std::string, std::string>& values,
                                     const FunctionRegistry& functions) {
  const KeyPlace place = find_key(schema);
  if (place.key == nullptr) {
    return make_error(ErrorCode::kBadValue, "the rows of state `" + schema.name + "` are not found by key columns",
                      "use `state scan`");
  }
  std::string names;
  Schema columns;
  for (const Field& field : place.key->columns) {
    names += (names.empty() ? "" : ", ") + field.name + " " + field.type->to_string();
    columns.fields.push_back(field);
  }
  const std::string help = names.empty() ? "its one key is empty: give no --key" : "its key columns are " + names;
  for (const auto& [name, text] : values) {
    if (!columns.find(name)) return make_error(ErrorCode::kBadValue, "no key column `" + name + "`", help);
  }
  const auto arena = std::make_shared<Arena>();
  Batch batch;
  batch.rows = 1;
  batch.arenas.push_back(arena);
  std::vector<uint32_t> all;
  for (const Field& field : columns.fields) {
    const auto given = values.find(field.name);
    if (given == values.end()) {
      return make_error(ErrorCode::kBadValue, "the key column `" + field.name + "` has no value", help);
    }
    MR_ASSIGN(auto column, read_value(field, given->second, functions, arena));
    batch.columns.push_back(std::move(column));
    all.push_back(static_cast<uint32_t>(all.size()));
  }
  EncodedKeys keys;
  encode_keys(batch, columns, all, keys);
  return EncodedKey{std::string(keys.keys[0]), keys.hashes[0]};
}

}  // namespace millrace
