#include "plan/spec/params.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/nearest.h"
#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"
#include "plan/option_reader.h"
#include "plan/spec/fields.h"

namespace millrace {

namespace {

std::unexpected<std::string> no_literal(std::string_view text, const DataType& type) {
  return std::unexpected(fmt::format("`{}` is not a value of type {}", text, type.to_string()));
}

std::expected<Literal, std::string> parse_integer_literal(std::string_view text, const DataType& type) {
  const std::optional<int64_t> value = parse_int64(text);
  if (!value) return no_literal(text, type);
  int bits = 64;
  if (type.kind == TypeKind::kTinyInt) bits = 8;
  if (type.kind == TypeKind::kSmallInt) bits = 16;
  if (type.kind == TypeKind::kInt) bits = 32;
  const int64_t limit = bits == 64 ? INT64_MAX : (int64_t{1} << (bits - 1)) - 1;
  if (*value > limit || *value < -limit - 1) return no_literal(text, type);
  return *value;
}

/// One declared parameter.
class ParamReader {
 public:
  ParamReader(SpecContext& context, Located::Entry& entry) : context_(context), entry_(entry) {}

  void read() {
    const OptionValues values =
        read_options(entry_.value, param_fields(), fmt::format("parameter `{}`", entry_.key), context_.diagnostics);
    const Located& type_text = values.located("type");
    if (!type_text.is_scalar()) return;
    auto type = parse_type(type_text.text);
    if (!type) {
      context_.diagnostics.error(ErrorCode::kUnknownType, text_position(type_text), type.error().message,
                                 type.error().help, text_length(type_text));
      return;
    }
    auto given = context_.overrides.params.find(entry_.key);
    Located value = values.located("default");
    if (given != context_.overrides.params.end()) {
      value = Located{};
      value.kind = Located::Kind::kScalar;
      value.text = given->second;
      value.quoted = true;
      value.interpolated = true;
    } else if (!values.get("default").set) {
      context_.diagnostics.error(ErrorCode::kUnknownVariable, entry_.key_position,
                                 fmt::format("the parameter `{}` has no default and no value", entry_.key),
                                 fmt::format("pass --param {}=…", entry_.key), static_cast<int>(entry_.key.size()));
      return;
    }
    add(*type, value);
  }

 private:
  void add(const TypePtr& type, const Located& value) {
    auto literal = parse_literal(value.text, *type);
    if (!literal) {
      const bool from_file = value.position.line > 0;
      context_.diagnostics.error(ErrorCode::kBadValue, from_file ? text_position(value) : entry_.key_position,
                                 fmt::format("parameter `{}`: {}", entry_.key, literal.error()), {},
                                 text_length(value));
      return;
    }
    context_.parameters.push_back({entry_.key, with_nullable(type, false), std::move(*literal)});
    context_.substitutions.params[entry_.key] = value.text;
    for (Located::Entry& field : entry_.value.entries) {
      if (field.key == "default") {
        field.value = value;
        return;
      }
    }
    entry_.value.entries.push_back({"default", entry_.key_position, value});
  }

  SpecContext& context_;
  Located::Entry& entry_;
};

}  // namespace

std::expected<Literal, std::string> parse_literal(std::string_view text, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBoolean:
      if (text != "true" && text != "false") return no_literal(text, type);
      return text == "true";
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return parse_integer_literal(text, type);
    case TypeKind::kFloat:
    case TypeKind::kDouble: {
      const std::optional<double> value = parse_double(text);
      if (!value) return no_literal(text, type);
      return type.kind == TypeKind::kFloat ? static_cast<double>(static_cast<float>(*value)) : *value;
    }
    case TypeKind::kDecimal: {
      int128 value = 0;
      if (decimal_parse(text, type.precision, type.scale, value) != DecimalParse::kOk) return no_literal(text, type);
      return static_cast<__int128>(value);
    }
    case TypeKind::kVarchar:
    case TypeKind::kChar:
      return std::string(text);
    case TypeKind::kDate: {
      const std::optional<int32_t> value = parse_date(text);
      if (!value) return no_literal(text, type);
      return static_cast<int64_t>(*value);
    }
    case TypeKind::kTime: {
      const std::optional<int32_t> value = parse_time(text);
      if (!value) return no_literal(text, type);
      return static_cast<int64_t>(*value);
    }
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      const std::optional<int64_t> value = parse_timestamp(text);
      if (!value) return no_literal(text, type);
      return *value;
    }
    default:
      return std::unexpected(fmt::format("a parameter cannot have the type {}", type.to_string()));
  }
}

void read_params(SpecContext& context, Located* params) {
  std::vector<std::string_view> known;
  if (params != nullptr && params->kind != Located::Kind::kNull) {
    if (params->kind != Located::Kind::kMap) {
      context.diagnostics.error(ErrorCode::kWrongShape, params->position,
                                fmt::format("`params` needs a mapping, not {}", describe_kind(*params)));
      return;
    }
    context.substitutions.params_known = false;
    interpolate(*params, context.substitutions, context.diagnostics);
    for (Located::Entry& entry : params->entries) ParamReader(context, entry).read();
    for (const Located::Entry& entry : params->entries) known.push_back(entry.key);
  }
  context.substitutions.params_known = true;
  for (const auto& [name, value] : context.overrides.params) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::string near = nearest_name(name, known);
    context.diagnostics.error(ErrorCode::kUnknownVariable, {},
                              fmt::format("--param {}: the job has no such parameter", name),
                              near.empty() ? "" : fmt::format("a parameter with a similar name exists: `{}`", near));
  }
}

}  // namespace millrace
