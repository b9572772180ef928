// JSON_OBJECTAGG and JSON_ARRAYAGG. The parser wraps the value in JSON_STRING, as Flink's planner does, so that what
// arrives here is JSON already. The variants that leave NULLs out are functions of their own, with ABSENT in the name.
#include <map>
#include <string>

#include "functions/aggregates/lists.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"
#include "functions/json/json_text.h"

namespace millrace {

namespace {

void put_optional(ByteWriter& out, const Column& column, uint32_t row) {
  const bool present = !column.is_null(row);
  out.put(static_cast<uint8_t>(present));
  out.put_string(present ? column.values<StringRef>()[row].view() : std::string_view());
}

struct OptionalText {
  bool present = false;
  std::string_view text;
};

OptionalText get_optional(ByteReader& in) {
  const bool present = in.get<uint8_t>() != 0;
  return {present, in.get_string()};
}

/// Items of key and value.
template <bool kAbsent>
class JsonObjectAggregate final : public ListBase {
 public:
  void update(const AggregateInput& in, BlobPool& blobs) override {
    for (size_t i = 0; i < in.rows.size(); ++i) {
      const uint32_t row = in.rows[i];
      if (kAbsent && in.args[1]->is_null(row)) continue;
      ByteWriter item;
      put_optional(item, *in.args[0], row);
      put_optional(item, *in.args[1], row);
      push_item(state_of<ListState>(in.states[i]), in.arrival(i), item.view(), blobs);
    }
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& errors) override {
    std::string text;
    for (size_t i = 0; i < states.size(); ++i) {
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      text.clear();
      if (const std::string problem = write(state_of<ListState>(states[i]), text); !problem.empty()) {
        errors.add(row, problem);
      }
      out.values<StringRef>()[row] = arena.copy(text);
    }
  }

 private:
  /// What is wrong, if anything. Keys are sorted, as in JSON_OBJECT.
  static std::string write(const ListState& state, std::string& text) {
    std::map<std::string_view, OptionalText> members;
    for (const auto& [arrival, bytes] : list_items(state)) {
      ByteReader item(bytes);
      const OptionalText key = get_optional(item);
      if (!key.present) return "a key of JSON_OBJECTAGG is NULL";
      if (!members.emplace(key.text, get_optional(item)).second) {
        return "the key `" + std::string(key.text) + "` of JSON_OBJECTAGG comes twice";
      }
    }
    text += '{';
    for (const auto& [key, value] : members) {
      if (text.size() > 1) text += ',';
      append_json_quoted(text, key);
      text += ':';
      text += value.present ? value.text : "null";
    }
    text += '}';
    return {};
  }
};

template <bool kAbsent>
class JsonArrayAggregate final : public ListBase {
 public:
  void update(const AggregateInput& in, BlobPool& blobs) override {
    for (size_t i = 0; i < in.rows.size(); ++i) {
      const uint32_t row = in.rows[i];
      const bool is_null = in.args[0]->is_null(row);
      if (kAbsent && is_null) continue;
      const std::string_view item = is_null ? "null" : in.args[0]->values<StringRef>()[row].view();
      push_item(state_of<ListState>(in.states[i]), in.arrival(i), item, blobs);
    }
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    std::string text;
    for (size_t i = 0; i < states.size(); ++i) {
      text = "[";
      for (const auto& [arrival, item] : list_items(state_of<ListState>(states[i]))) {
        if (text.size() > 1) text += ',';
        text += item;
      }
      text += ']';
      out.values<StringRef>()[first_row + static_cast<uint32_t>(i)] = arena.copy(text);
    }
  }
};

template <class Aggregate>
std::unique_ptr<AggregateFunction> make_json(std::span<const TypePtr> /*types*/, const TypePtr& /*result*/,
                                             bool /*distinct*/, const void* /*bound*/) {
  return std::make_unique<Aggregate>();
}

Result<ResolvedCall> resolve_object(std::span<const TypePtr> types) {
  if (!types[0]->is_text()) return wrong_argument("JSON_OBJECTAGG", *types[0], "a STRING as key");
  return ResolvedCall{make_string(false), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_array(std::span<const TypePtr> types) {
  return ResolvedCall{make_string(false), {types.begin(), types.end()}, nullptr};
}

}  // namespace

void register_json_aggregates(FunctionRegistry& functions) {
  add_aggregate(functions, "JSON_OBJECTAGG", "JSON_OBJECTAGG(key VALUE value [NULL | ABSENT ON NULL]): a JSON object.",
                resolve_object, make_json<JsonObjectAggregate<false>>, true);
  add_aggregate(functions, "JSON_OBJECTAGG ABSENT", "The same without members that are NULL.", resolve_object,
                make_json<JsonObjectAggregate<true>>, true);
  add_aggregate(functions, "JSON_ARRAYAGG", "JSON_ARRAYAGG(value NULL ON NULL): a JSON array in order of arrival.",
                resolve_array, make_json<JsonArrayAggregate<false>>, true);
  add_aggregate(functions, "JSON_ARRAYAGG ABSENT", "JSON_ARRAYAGG(value [ABSENT ON NULL]): without NULLs.",
                resolve_array, make_json<JsonArrayAggregate<true>>, true);
}

}  // namespace millrace
