#include "plan/state_schema.h"

#include <nlohmann/json.hpp>

namespace millrace {

namespace {

using LayoutJson = nlohmann::ordered_json;

struct FormName {
  StateForm form;
  const char* name;
};
constexpr FormName kForms[] = {
    {StateForm::kInt64, "i64"},          {StateForm::kTime, "time"},         {StateForm::kUint64, "u64"},
    {StateForm::kUint32, "u32"},         {StateForm::kFlag, "flag"},         {StateForm::kChoice, "choice"},
    {StateForm::kBytes, "bytes"},        {StateForm::kRest, "rest"},         {StateForm::kKey, "key"},
    {StateForm::kKeyAlone, "key_alone"}, {StateForm::kRow, "row"},           {StateForm::kAggregate, "aggregate"},
    {StateForm::kList, "list"},          {StateForm::kOptional, "optional"}, {StateForm::kCells, "cells"}};

std::string type_text(const TypePtr& type) { return type->to_string() + (type->nullable ? "" : " NOT NULL"); }

LayoutJson columns_json(const std::vector<Field>& columns) {
  LayoutJson json = LayoutJson::array();
  for (const Field& field : columns) json.push_back({field.name, type_text(field.type)});
  return json;
}

LayoutJson fields_json(const std::vector<StateField>& fields);

LayoutJson field_json(const StateField& field) {
  LayoutJson json;
  json["name"] = field.name;
  for (const FormName& one : kForms) {
    if (one.form == field.form) json["form"] = one.name;
  }
  if (!field.columns.empty()) json["columns"] = columns_json(field.columns);
  if (!field.parts.empty()) json["parts"] = fields_json(field.parts);
  if (!field.names.empty()) json["names"] = field.names;
  if (const StateAggregate* call = field.aggregate.get()) {
    json["function"] = call->function;
    if (call->distinct) json["distinct"] = true;
    LayoutJson args = LayoutJson::array();
    for (const TypePtr& type : call->args) args.push_back(type_text(type));
    json["args"] = std::move(args);
    json["result"] = type_text(call->result);
    json["text"] = call->text;
    json["output"] = call->output;
    if (call->number > 0) json["number"] = call->number;
    if (!call->whole) json["whole"] = false;
  }
  return json;
}

LayoutJson fields_json(const std::vector<StateField>& fields) {
  LayoutJson json = LayoutJson::array();
  for (const StateField& field : fields) json.push_back(field_json(field));
  return json;
}

/// Reads what fields_json() wrote; anything else turns it failed.
class LayoutReader {
 public:
  [[nodiscard]] bool ok() const { return ok_; }

  std::string text(const LayoutJson& json, const char* name) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
    ok_ = false;
    return {};
  }

  std::vector<StateField> fields(const LayoutJson& json, const char* name) {
    std::vector<StateField> out;
    const auto found = json.find(name);
    if (found == json.end()) return out;
    if (!found->is_array()) ok_ = false;
    for (const LayoutJson& one : *found) {
      if (!ok_) break;
      out.push_back(field(one));
    }
    return out;
  }

  std::vector<std::pair<std::string, std::string>> pairs(const LayoutJson& json, const char* name) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto found = json.find(name);
    if (found == json.end()) return out;
    for (const LayoutJson& one : *found) {
      const bool pair = one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string();
      ok_ = ok_ && pair;
      if (pair) out.emplace_back(one[0].get<std::string>(), one[1].get<std::string>());
    }
    return out;
  }

 private:
  TypePtr type(const std::string& text) {
    auto parsed = parse_type(text);
    ok_ = ok_ && parsed.has_value();
    return parsed ? *parsed : nullptr;
  }

  StateField field(const LayoutJson& json) {
    StateField out;
    if (!json.is_object()) ok_ = false;
    if (!ok_) return out;
    out.name = text(json, "name");
    const std::string form = text(json, "form");
    bool known = false;
    for (const FormName& one : kForms) {
      if (form != one.name) continue;
      out.form = one.form;
      known = true;
    }
    ok_ = ok_ && known;
    for (auto& [name, written] : pairs(json, "columns")) out.columns.push_back({name, type(written)});
    out.parts = fields(json, "parts");
    if (const auto names = json.find("names"); names != json.end()) {
      for (const LayoutJson& one : *names) out.names.push_back(one.is_string() ? one.get<std::string>() : "");
    }
    if (ok_ && out.form == StateForm::kAggregate) out.aggregate = aggregate(json);
    return out;
  }

  std::shared_ptr<const StateAggregate> aggregate(const LayoutJson& json) {
    auto out = std::make_shared<StateAggregate>();
    out->function = text(json, "function");
    const auto distinct = json.find("distinct");
    out->distinct = distinct != json.end() && *distinct == true;
    if (const auto args = json.find("args"); args != json.end()) {
      for (const LayoutJson& one : *args) out->args.push_back(type(one.is_string() ? one.get<std::string>() : ""));
    }
    out->result = type(text(json, "result"));
    out->text = text(json, "text");
    out->output = text(json, "output");
    const auto whole = json.find("whole");
    out->whole = whole == json.end() || *whole == true;
    const auto number = json.find("number");
    if (number != json.end() && number->is_number_unsigned()) out->number = number->get<uint32_t>();
    return out;
  }

  bool ok_ = true;
};

StateField plain_field(std::string name, StateForm form) {
  StateField field;
  field.name = std::move(name);
  field.form = form;
  return field;
}

}  // namespace

std::string state_layout(const StateSchema& schema) {
  if (!schema.text.empty()) return schema.text;
  LayoutJson json;
  json["form"] = schema.form;
  if (!schema.rules.empty()) {
    LayoutJson rules = LayoutJson::array();
    for (const auto& [name, value] : schema.rules) rules.push_back({name, value});
    json["rules"] = std::move(rules);
  }
  json["key"] = fields_json(schema.key);
  json["value"] = fields_json(schema.value);
  return json.dump();
}

std::optional<StateSchema> parse_state_layout(std::string_view layout, std::string_view name, StateKind kind) {
  const LayoutJson json = LayoutJson::parse(layout, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  LayoutReader reader;
  StateSchema schema;
  schema.name = name;
  schema.kind = kind;
  schema.form = reader.text(json, "form");
  schema.rules = reader.pairs(json, "rules");
  schema.key = reader.fields(json, "key");
  schema.value = reader.fields(json, "value");
  if (!reader.ok()) return std::nullopt;
  return schema;
}

StateSchema splits_schema(const std::string& connector) {
  StateSchema schema;
  schema.name = "splits";
  schema.kind = StateKind::kSplit;
  schema.form = connector + " source";
  schema.key = {plain_field("split", StateForm::kRest)};
  schema.value = {plain_field("max_timestamp", StateForm::kTime), plain_field("watermark", StateForm::kTime),
                  plain_field("position", StateForm::kBytes)};
  return schema;
}

StateSchema progress_schema(const std::string& name) {
  StateSchema schema;
  schema.name = name;
  schema.kind = StateKind::kSplit;
  schema.form = "progress";
  schema.key = {plain_field("subtask", StateForm::kRest)};
  schema.value = {plain_field("watermark", StateForm::kTime), plain_field("rows", StateForm::kUint64)};
  return schema;
}

StateSchema opaque_schema(std::string name, StateKind kind, std::string_view text) {
  StateSchema schema;
  schema.name = std::move(name);
  schema.kind = kind;
  schema.text = text;
  return schema;
}

const StateSchema* find_state(const std::vector<StateSchema>& states, std::string_view name) {
  for (const StateSchema& state : states) {
    if (state.name == name) return &state;
  }
  return nullptr;
}

}  // namespace millrace
