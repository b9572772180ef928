// JSON_VALUE, JSON_QUERY, JSON_EXISTS, IS JSON, JSON_QUOTE and JSON_UNQUOTE. The parser (plan/expr/parser_json.cc)
// turns their clauses into literal arguments.
#include "functions/json/json.h"

#include <fmt/format.h>

#include "data/number_text.h"
#include "functions/json/json_path.h"
#include "functions/json/json_text.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// Reads argument 0 by the path of argument 1 and keeps the last document, which often comes again.
class PathReader {
 public:
  explicit PathReader(const KernelArgs& call)
      : call_(call), documents_(call, 0), path_(*static_cast<const JsonPath*>(call.bound)) {}

  JsonPath::Found at(uint32_t row) {
    auto document = parse_json_text(documents_.text(row));
    if (document) return path_.read(*document);
    JsonPath::Found nothing;
    nothing.failed = !path_.lax();
    return nothing;
  }
  [[nodiscard]] bool lax() const { return path_.lax(); }

 private:
  const KernelArgs& call_;
  TextReader documents_;
  const JsonPath& path_;
};

Result<std::shared_ptr<const void>> bind_path(std::string_view name, ArgTypes types, ArgLiterals literals) {
  bool document = types[0]->is_text() || types[0]->kind == TypeKind::kNull;
  if (!document) return argument_error(name, types.first(2), fmt::format("{}(STRING, path)", name));
  const std::string* path = literal_text(literals, 1);
  if (path == nullptr)
    return make_error(ErrorCode::kNotSupportedYet, fmt::format("{} needs a literal path in this build", name));
  MR_ASSIGN(JsonPath compiled, JsonPath::compile(*path));
  return std::shared_ptr<const void>(std::make_shared<const JsonPath>(std::move(compiled)));
}

/// Puts a scalar as the result type; false when it does not fit.
bool put_scalar(const KernelArgs& call, uint32_t row, const JsonNode& node) {
  switch (call.result_type->kind) {
    case TypeKind::kBoolean:
      if (node.kind != JsonNode::Kind::kBoolean) return false;
      call.out.values<uint8_t>()[row] = node.truth ? 1 : 0;
      return true;
    case TypeKind::kInt: {
      auto value = node.kind == JsonNode::Kind::kNumber ? parse_int64(node.text) : std::nullopt;
      if (!value || *value < INT32_MIN || *value > INT32_MAX) return false;
      put_integer(call.out, row, *value);
      return true;
    }
    case TypeKind::kDouble: {
      auto value = node.kind == JsonNode::Kind::kNumber ? parse_double(node.text) : std::nullopt;
      if (!value) return false;
      call.out.values<double>()[row] = *value;
      return true;
    }
    default:
      if (node.kind == JsonNode::Kind::kBoolean)
        put_text(call, row, node.truth ? "true" : "false");
      else
        put_text(call, row, node.text);
      return true;
  }
}

/// Copies the DEFAULT of a behaviour, which has been cast to the result type.
void put_default(const KernelArgs& call, size_t index, uint32_t row) {
  const Column& from = *call.args[index];
  uint32_t at = call.constant[index] != 0 ? 0 : row;
  if (from.is_null(at)) return call.out.set_null(row);
  switch (call.out.type()) {
    case PhysicalType::kBool:
      call.out.values<uint8_t>()[row] = from.values<uint8_t>()[at];
      break;
    case PhysicalType::kInt32:
      call.out.values<int32_t>()[row] = from.values<int32_t>()[at];
      break;
    case PhysicalType::kDouble:
      call.out.values<double>()[row] = from.values<double>()[at];
      break;
    default:
      call.out.values<StringRef>()[row] = from.values<StringRef>()[at];
      break;
  }
}

/// (text, path, on empty, default, on error, default).
void json_value_kernel(const KernelArgs& call) {
  PathReader reader(call);
  TextReader documents(call, 0);
  for (uint32_t row : call.rows) {
    if (documents.is_null(row)) {
      call.out.set_null(row);
      continue;
    }
    JsonPath::Found found = reader.at(row);
    bool scalar = found.present && found.value.is_scalar();
    if (scalar && put_scalar(call, row, found.value)) continue;
    if (scalar) {
      call.fail(row, fmt::format("'{}' is not {}", utf8_slice(found.value.text, 0, 60), call.result_type->to_string()));
      continue;
    }
    bool empty = !found.failed && (!found.present || reader.lax());
    size_t behaviour = empty ? 2 : 4;
    std::string_view what = TextReader(call, behaviour).text(row);
    if (what == "DEFAULT")
      put_default(call, behaviour + 1, row);
    else if (what == "ERROR")
      call.fail(row, empty ? "JSON_VALUE found nothing" : "JSON_VALUE failed");
    else
      call.out.set_null(row);
  }
}

ResolveFunction resolve_json_value(TypePtr result) {
  return [result](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    MR_ASSIGN(auto bound, bind_path("JSON_VALUE", types, literals));
    std::vector<TypePtr> targets(types.begin(), types.end());
    if (targets[0]->kind == TypeKind::kNull) targets[0] = make_string();
    for (size_t i : {size_t{3}, size_t{5}}) {
      if (!converts_implicitly(*types[i], *result))
        return argument_error("JSON_VALUE", types.subspan(i, 1), "a DEFAULT of the returned type");
      targets[i] = with_nullable(result, types[i]->nullable);
    }
    return ResolvedCall{result, std::move(targets), bound};
  };
}

/// (text, path, wrapper, on empty, on error).
void json_query_kernel(const KernelArgs& call) {
  PathReader reader(call);
  TextReader documents(call, 0);
  for (uint32_t row : call.rows) {
    if (documents.is_null(row)) {
      call.out.set_null(row);
      continue;
    }
    JsonPath::Found found = reader.at(row);
    std::string_view wrapper = TextReader(call, 2).text(row);
    bool wrap = wrapper == "UNCONDITIONAL" || (wrapper == "CONDITIONAL" && found.value.kind != JsonNode::Kind::kArray);
    if (found.present && (wrap || !found.value.is_scalar())) {
      std::string out;
      if (wrap) out += '[';
      append_json_node(out, found.value);
      if (wrap) out += ']';
      put_text(call, row, out);
      continue;
    }
    bool empty = !found.failed && (!found.present || reader.lax());
    std::string_view what = TextReader(call, empty ? 3 : 4).text(row);
    if (what == "EMPTY ARRAY")
      put_text(call, row, "[]");
    else if (what == "EMPTY OBJECT")
      put_text(call, row, "{}");
    else if (what == "ERROR")
      call.fail(row, empty ? "JSON_QUERY found nothing" : "JSON_QUERY failed");
    else
      call.out.set_null(row);
  }
}

/// (text, path, on error).
void json_exists_kernel(const KernelArgs& call) {
  PathReader reader(call);
  TextReader documents(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    if (documents.is_null(row)) {
      call.out.set_null(row);
      continue;
    }
    JsonPath::Found found = reader.at(row);
    std::string_view what = TextReader(call, 2).text(row);
    if (!found.failed)
      out[row] = found.present ? 1 : 0;
    else if (what == "ERROR")
      call.fail(row, "JSON_EXISTS failed");
    else if (what == "UNKNOWN")
      call.out.set_null(row);
    else
      out[row] = what == "TRUE" ? 1 : 0;
  }
}

ResolveFunction resolve_json_path(std::string name, TypePtr result) {
  return [name, result](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    MR_ASSIGN(auto bound, bind_path(name, types, literals));
    std::vector<TypePtr> targets(types.begin(), types.end());
    if (targets[0]->kind == TypeKind::kNull) targets[0] = make_string();
    return ResolvedCall{result, std::move(targets), bound};
  };
}

enum class JsonShape : uint8_t { kValue, kObject, kArray, kScalar };
template <JsonShape kShape>
void is_json_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    auto document = parse_json_text(a.text(row));
    bool fits = document.has_value();
    if (fits && kShape == JsonShape::kObject) fits = document->kind == JsonNode::Kind::kObject;
    if (fits && kShape == JsonShape::kArray) fits = document->kind == JsonNode::Kind::kArray;
    if (fits && kShape == JsonShape::kScalar) fits = document->is_scalar();
    out[row] = fits ? 1 : 0;
  }
}

/// Quotes as Flink does: with an escaped slash, and \u for everything beyond ASCII.
void json_quote_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string out = "\"";
    for (size_t at = 0; at < text.size(); at += utf8_width(text, at)) {
      char32_t code = utf8_decode(text, at);
      size_t simple =
          code < 0x80 ? std::string_view("\"\\/\b\f\n\r\t").find(static_cast<char>(code)) : std::string_view::npos;
      if (simple != std::string_view::npos) {
        out += '\\';
        out += "\"\\/bfnrt"[simple];
      } else if (code < 0x80) {
        out += static_cast<char>(code);
      } else if (code < 0x10000) {
        out += fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
      } else {
        uint32_t rest = static_cast<uint32_t>(code) - 0x10000;
        out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
      }
    }
    put_text(call, row, out + "\"");
  }
}

/// Valid JSON loses its first and last character and its escapes; other texts stay.
void json_unquote_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    auto document = parse_json_text(text);
    if (!document || text.size() < 2) {
      put_slice(call, row, text);
    } else if (document->kind == JsonNode::Kind::kText && text.starts_with('"') && text.ends_with('"')) {
      put_text(call, row, document->text);
    } else if (text.find('\\') == std::string_view::npos) {
      put_slice(call, row, text.substr(1, text.size() - 2));
    } else {
      call.fail(row, "JSON_UNQUOTE of a value that is no text but has escapes is not supported");
    }
  }
}

}  // namespace

void register_json(FunctionRegistry& registry) {
  FunctionTraits sees_nulls{false, true};
  static constexpr std::pair<const char*, TypeKind> kReturning[] = {{"JSON_VALUE", TypeKind::kVarchar},
                                                                    {"JSON_VALUE BOOLEAN", TypeKind::kBoolean},
                                                                    {"JSON_VALUE INT", TypeKind::kInt},
                                                                    {"JSON_VALUE DOUBLE", TypeKind::kDouble}};
  for (const auto& [name, kind] : kReturning) {
    TypePtr type = kind == TypeKind::kVarchar ? make_string(true) : make_type(kind, true);
    add_function(registry, name, resolve_json_value(type), json_value_kernel,
                 "JSON_VALUE(text, path [RETURNING type] [… ON EMPTY] [… ON ERROR])", sees_nulls);
  }
  add_function(registry, "JSON_QUERY", resolve_json_path("JSON_QUERY", make_string(true)), json_query_kernel,
               "JSON_QUERY(text, path [WITH WRAPPER])", sees_nulls);
  add_function(registry, "JSON_EXISTS", resolve_json_path("JSON_EXISTS", make_type(TypeKind::kBoolean)),
               json_exists_kernel, "JSON_EXISTS(text, path)", sees_nulls);
  TypePtr boolean = make_type(TypeKind::kBoolean, false);
  auto is_json = [&](std::string name, KernelFunction kernel) {
    add_plain(registry, {.name = std::move(name),
                         .args = {ArgClass::kText},
                         .result = boolean,
                         .kernel = kernel,
                         .help = "text IS JSON [OBJECT|ARRAY|SCALAR]"});
  };
  is_json("IS JSON", is_json_kernel<JsonShape::kValue>);
  is_json("IS JSON OBJECT", is_json_kernel<JsonShape::kObject>);
  is_json("IS JSON ARRAY", is_json_kernel<JsonShape::kArray>);
  is_json("IS JSON SCALAR", is_json_kernel<JsonShape::kScalar>);
  add_plain(registry, {.name = "JSON_QUOTE",
                       .args = {ArgClass::kText},
                       .result = make_string(false),
                       .kernel = json_quote_kernel,
                       .help = "as a JSON text"});
  add_plain(registry, {.name = "JSON_UNQUOTE",
                       .args = {ArgClass::kText},
                       .result = make_string(false),
                       .kernel = json_unquote_kernel,
                       .help = "the text of a JSON text"});
  register_json_builders(registry);
}

}  // namespace millrace
