// JSON_OBJECT, JSON_ARRAY and JSON_STRING: values to JSON texts.
#include <fmt/format.h>

#include <map>

#include "data/decimal.h"
#include "data/number_text.h"
#include "functions/json/json.h"
#include "functions/json/json_text.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// Types whose JSON form is known to be Flink's.
bool has_json_form(const DataType& type) {
  return type.is_integer() || type.is_text() || type.kind == TypeKind::kBoolean || type.kind == TypeKind::kDecimal ||
         type.kind == TypeKind::kDouble || type.kind == TypeKind::kFloat || type.kind == TypeKind::kNull;
}

std::unexpected<Error> no_json_form(std::string_view name, const DataType& type) {
  return make_error(ErrorCode::kNotSupportedYet,
                    fmt::format("{} of {} is not supported by this build", name, type.to_string()),
                    "use CAST AS STRING");
}

/// Whether the argument is a JSON_OBJECT or JSON_ARRAY itself, whose text goes in as it is.
bool is_json_call(const KernelArgs& call, size_t index) {
  if (call.expr == nullptr || index >= call.expr->args.size()) return false;
  const TypedExpr& arg = *call.expr->args[index];
  return arg.kind == ExprKind::kCall && (arg.name == "JSON_OBJECT" || arg.name == "JSON_ARRAY");
}

void append_json_value(const KernelArgs& call, size_t index, uint32_t row, std::string& out) {
  const Column& column = *call.args[index];
  const DataType& type = *call.types[index];
  uint32_t at = call.constant[index] != 0 ? 0 : row;
  if (column.is_null(at)) {
    out += "null";
    return;
  }
  switch (type.kind) {
    case TypeKind::kBoolean:
      out += column.values<uint8_t>()[at] != 0 ? "true" : "false";
      return;
    case TypeKind::kDouble:
      append_json_double(out, column.values<double>()[at]);
      return;
    case TypeKind::kFloat:
      append_json_float(out, column.values<float>()[at]);
      return;
    case TypeKind::kDecimal:  // with all digits of its scale, as Jackson writes a DecimalNode since 2.15
      out += decimal_to_string(column.values<int128>()[at], type.scale);
      return;
    case TypeKind::kChar:
    case TypeKind::kVarchar:
      if (is_json_call(call, index))
        out += column.values<StringRef>()[at].view();
      else
        append_json_quoted(out, column.values<StringRef>()[at].view());
      return;
    default:
      out += std::to_string(IntegerReader(column, false)[at]);
      return;
  }
}

bool argument_is_null(const KernelArgs& call, size_t index, uint32_t row) {
  return call.args[index]->is_null(call.constant[index] != 0 ? 0 : row);
}

/// (null clause, key, value, …); keys are sorted.
void json_object_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    bool absent = TextReader(call, 0).text(row) == "ABSENT";
    std::map<std::string, std::string, std::less<>> members;
    bool ok = true;
    for (size_t i = 1; i + 1 < call.args.size() && ok; i += 2) {
      if (argument_is_null(call, i, row)) {
        call.fail(row, "a key of JSON_OBJECT is NULL");
        ok = false;
      } else if (!absent || !argument_is_null(call, i + 1, row)) {
        std::string value;
        append_json_value(call, i + 1, row, value);
        members[std::string(TextReader(call, i).text(row))] = std::move(value);
      }
    }
    if (!ok) continue;
    std::string out = "{";
    for (const auto& [key, value] : members) {
      if (out.size() > 1) out += ',';
      append_json_quoted(out, key);
      out += ':';
      out += value;
    }
    put_text(call, row, out + "}");
  }
}

/// (null clause, item, …).
void json_array_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    bool absent = TextReader(call, 0).text(row) == "ABSENT";
    std::string out = "[";
    for (size_t i = 1; i < call.args.size(); ++i) {
      if (absent && argument_is_null(call, i, row)) continue;
      if (out.size() > 1) out += ',';
      append_json_value(call, i, row, out);
    }
    put_text(call, row, out + "]");
  }
}

void json_string_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    std::string out;
    append_json_value(call, 0, row, out);
    put_text(call, row, out);
  }
}

Result<ResolvedCall> resolve_json_object(ArgTypes types, ArgLiterals) {
  for (size_t i = 1; i < types.size(); ++i) {
    if (i % 2 == 1 && !types[i]->is_text()) return argument_error("JSON_OBJECT", types.subspan(1), "texts as keys");
    if (i % 2 == 0 && !has_json_form(*types[i])) return no_json_form("JSON_OBJECT", *types[i]);
  }
  return ResolvedCall{make_string(false), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_json_array(ArgTypes types, ArgLiterals) {
  for (size_t i = 1; i < types.size(); ++i) {
    if (!has_json_form(*types[i])) return no_json_form("JSON_ARRAY", *types[i]);
  }
  return ResolvedCall{make_string(false), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_json_string(ArgTypes types, ArgLiterals) {
  if (types.size() != 1) return argument_count_error("JSON_STRING", types.size(), "JSON_STRING(value)");
  if (!has_json_form(*types[0])) return no_json_form("JSON_STRING", *types[0]);
  TypePtr type = types[0]->kind == TypeKind::kNull ? make_string() : types[0];
  return ResolvedCall{make_string(types[0]->nullable || types[0]->kind == TypeKind::kNull), {type}, nullptr};
}

}  // namespace

void register_json_builders(FunctionRegistry& registry) {
  FunctionTraits sees_nulls{false, true};
  add_function(registry, "JSON_OBJECT", resolve_json_object, json_object_kernel, "JSON_OBJECT(key VALUE value, …)",
               sees_nulls);
  add_function(registry, "JSON_ARRAY", resolve_json_array, json_array_kernel, "JSON_ARRAY(value, …)", sees_nulls);
  add_function(registry, "JSON_STRING", resolve_json_string, json_string_kernel, "the value as JSON; NULL of NULL");
}

}  // namespace millrace
