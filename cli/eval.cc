#include "cli/eval.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/usage.h"
#include "cli/value_text.h"
#include "core/clock.h"
#include "functions/register_all.h"
#include "plan/expr/expression.h"
#include "plan/expr/function_registry.h"
#include "runtime/expr/cast.h"
#include "runtime/expr/evaluator.h"

namespace millrace {

namespace {

struct EvalOptions {
  bool json = false;
  std::string schema;
  std::string row;
  std::string expression;
};

/// One row with the columns of --schema.
struct EvalInput {
  Schema schema;
  Batch batch;
  ArenaPtr arena = std::make_shared<Arena>();
};

Result<Schema> read_schema(std::string_view text) {
  Schema schema;
  size_t at = 0;
  auto skip = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == ',' || text[at] == '\n')) ++at;
  };
  for (skip(); at < text.size(); skip()) {
    bool quoted = text[at] == '`';
    size_t end = quoted ? text.find('`', at + 1) : text.find(' ', at);
    if (end == std::string_view::npos) {
      return make_error(ErrorCode::kBadValue, fmt::format("--schema: expected `name TYPE` at '{}'", text.substr(at)));
    }
    std::string name(text.substr(at + (quoted ? 1 : 0), end - at - (quoted ? 1 : 0)));
    at = end + 1;
    while (at < text.size() && text[at] == ' ') ++at;
    size_t consumed = 0;
    MR_ASSIGN(TypePtr type, parse_type(text.substr(at), &consumed));
    at += consumed;
    schema.fields.push_back({std::move(name), std::move(type)});
  }
  return schema;
}

/// A JSON value as a column of one row, through its text as CAST reads it; numbers are epoch milliseconds of times.
Result<ColumnPtr> read_value(const nlohmann::json& value, const Field& field, Arena& arena) {
  auto out = make_column(*field.type);
  out->resize(1);
  const DataType& type = *field.type;
  if (value.is_null()) {
    out->set_null(0);
    return ColumnPtr(out);
  }
  bool time = type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampLtz;
  if (time && value.is_number_integer()) return ColumnPtr(literal_column(type, Literal{value.get<int64_t>()}, arena));
  if (value.is_structured() || out->type() >= PhysicalType::kList) {
    return make_error(ErrorCode::kNotSupportedYet,
                      fmt::format("--row: column `{}` of type {} is not supported", field.name, type.to_string()));
  }
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  TypePtr text_type = make_string(false);
  auto from = literal_column(*text_type, Literal{text}, arena);
  if (cast_keeps_column(*text_type, type)) return ColumnPtr(from);
  static constexpr uint32_t kRow0[] = {0};
  RowErrors errors;
  cast_rows({*from, *text_type, type, kRow0, *out, arena, &errors});
  if (!errors.empty())
    return make_error(ErrorCode::kBadValue, fmt::format("--row: column `{}`: {}", field.name, errors.rows()[0].second));
  return ColumnPtr(out);
}

Result<std::unique_ptr<EvalInput>> read_input(const EvalOptions& options) {
  auto input = std::make_unique<EvalInput>();
  MR_ASSIGN(input->schema, read_schema(options.schema));
  nlohmann::json row = nlohmann::json::object();
  if (!options.row.empty()) {
    row = nlohmann::json::parse(options.row, nullptr, false);
    if (!row.is_object()) return make_error(ErrorCode::kBadValue, "--row must be a JSON object");
  }
  input->batch.rows = 1;
  for (const Field& field : input->schema.fields) {
    auto found = row.find(field.name);
    nlohmann::json value = found == row.end() ? nlohmann::json() : *found;
    MR_ASSIGN(ColumnPtr column, read_value(value, field, *input->arena));
    input->batch.columns.push_back(std::move(column));
  }
  input->batch.event_times = std::make_shared<const std::vector<int64_t>>(1, 0);
  input->batch.arenas.push_back(input->arena);
  return input;
}

struct EvalAnswer {
  TypePtr type;
  ColumnPtr column;
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();
};

std::expected<EvalAnswer, std::string> answer_expression(const std::string& text, const EvalInput& input,
                                                         const FunctionRegistry& functions) {
  auto typed = compile_expression(text, Scope::of(input.schema), functions);
  if (!typed) {
    const ExprError& error = typed.error();
    return std::unexpected(fmt::format("{}: {} at {}..{}{}{}", error_info(error.code).code, error.message, error.begin,
                                       error.end, error.help.empty() ? "" : "; ", error.help));
  }
  EvalAnswer answer;
  answer.type = (*typed)->type;
  auto evaluator = Evaluator::make({*typed});
  if (!evaluator) return std::unexpected(evaluator.error().to_string());
  std::vector<ColumnPtr> columns;
  RowErrors errors;
  EvalContext context;
  context.now_ms = system_clock().wall_ms();
  (*evaluator)->evaluate(input.batch, columns, answer.arena, errors, context);
  if (!errors.empty())
    return std::unexpected(fmt::format("{}: {}", error_info(ErrorCode::kEvaluation).code, errors.rows()[0].second));
  answer.column = columns[0];
  return answer;
}

/// Messages may hold bytes of a broken expression; the answer must be JSON.
std::string valid_utf8(std::string text) {
  return nlohmann::json(std::move(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int eval_lines(const EvalInput& input, const FunctionRegistry& functions) {
  std::string line;
  std::string out;
  while (std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    out.clear();
    auto answer = answer_expression(line, input, functions);
    if (answer) {
      out += "{\"type\":";
      append_json_text(out, answer->type->to_string());
      out += ",\"value\":";
      append_value_json(out, *answer->type, *answer->column, 0);
      out += "}\n";
    } else {
      out = fmt::format("{{\"error\":{}}}\n", valid_utf8(answer.error()));
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

int eval_one(const std::string& text, const EvalInput& input, const FunctionRegistry& functions) {
  auto typed = compile_expression(text, Scope::of(input.schema), functions);
  if (!typed) {
    const ExprError& error = typed.error();
    size_t width = std::max<size_t>(1, error.end > error.begin ? error.end - error.begin : 1);
    fmt::print(stderr, "error[{}]: {}\n   | {}\n   | {}{}\n", error_info(error.code).code, error.message, text,
               std::string(error.begin, ' '), std::string(width, '^'));
    if (!error.help.empty()) fmt::print(stderr, "   = help: {}\n", error.help);
    return 1;
  }
  auto answer = answer_expression(text, input, functions);
  if (!answer) {
    fmt::print(stderr, "error {}\n", answer.error());
    return 1;
  }
  std::string shown;
  append_cast_text(shown, *answer->type, *answer->column, 0);
  fmt::print("{}  {}\n", shown, answer->type->to_string());
  return 0;
}

}  // namespace

int command_eval(const std::vector<std::string>& args) {
  EvalOptions options;
  for (size_t i = 0; i < args.size(); ++i) {
    bool has_value = i + 1 < args.size();
    if (args[i] == "--json") {
      options.json = true;
    } else if ((args[i] == "--schema" || args[i] == "--row") && has_value) {
      (args[i] == "--schema" ? options.schema : options.row) = args[i + 1];
      ++i;
    } else if (!args[i].starts_with("--") && options.expression.empty()) {
      options.expression = args[i];
    } else {
      fmt::print(stderr, "usage: {}\n", kEvalUsage);
      return 2;
    }
  }
  if (options.json != options.expression.empty()) {
    fmt::print(stderr, "usage: {}\n", kEvalUsage);
    return 2;
  }
  auto input = read_input(options);
  if (!input) {
    fmt::print(stderr, "error {}\n", input.error().to_string());
    return 2;
  }
  FunctionRegistry functions;
  register_all_functions(functions);
  return options.json ? eval_lines(**input, functions) : eval_one(options.expression, **input, functions);
}

}  // namespace millrace
