#include "plan/spec/overrides.h"

#include <fmt/format.h>

#include "plan/yaml_reader.h"

namespace millrace {

namespace {

void forget_positions(Located& tree) {
  tree.position = tree.content = {};
  tree.mapping = Located::Mapping::kNone;
  for (Located& item : tree.items) forget_positions(item);
  for (Located::Entry& entry : tree.entries) {
    entry.key_position = {};
    forget_positions(entry.value);
  }
}

/// The command line's value: YAML, or the plain text where it is no YAML.
Located override_value(const std::string& text) {
  Diagnostics ignored;
  std::optional<Located> value;
  if (!text.empty()) value = read_yaml(text, ignored);
  if (!value || ignored.has_errors()) {
    value = Located{};
    value->kind = Located::Kind::kScalar;
    value->text = text;
    value->quoted = true;
  }
  forget_positions(*value);
  return std::move(*value);
}

Located* find_step(Located& steps, std::string_view id) {
  for (Located& step : steps.items) {
    const Located* own = step.find("id");
    if (own != nullptr && own->text == id) return &step;
  }
  return nullptr;
}

}  // namespace

Located* find_mutable(Located& map, std::string_view key) {
  for (Located::Entry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void set_path(Located& root, const std::string& path, const std::string& value, Diagnostics& diagnostics) {
  Located* at = &root;
  std::string_view rest = path;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view name = rest.substr(0, dot);
    if (name.empty()) {
      diagnostics.error(ErrorCode::kBadValue, {}, fmt::format("--set {}: not a path", path),
                        "for example settings.parallelism=2");
      return;
    }
    if (at->kind == Located::Kind::kNull) at->kind = Located::Kind::kMap;
    Located* next = nullptr;
    if (at->kind == Located::Kind::kList) {
      next = find_step(*at, name);
      if (next == nullptr) {
        diagnostics.error(ErrorCode::kUnknownName, {},
                          fmt::format("--set {}: there is no step with the id `{}`", path, name));
        return;
      }
    } else if (at->kind == Located::Kind::kMap) {
      next = find_mutable(*at, name);
      if (next == nullptr) {
        at->entries.push_back({std::string(name), {}, {}});
        next = &at->entries.back().value;
      }
    } else {
      diagnostics.error(ErrorCode::kWrongShape, {},
                        fmt::format("--set {}: there is no mapping to set `{}` in", path, name));
      return;
    }
    at = next;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  *at = override_value(value);
}

void replace_sinks_by_print(Located& root) {
  Located* sinks = find_mutable(root, "sinks");
  if (sinks == nullptr || sinks->kind != Located::Kind::kMap) return;
  std::erase_if(sinks->entries, [&](const Located::Entry& entry) {
    const Located* input = entry.value.find("input");
    if (input == nullptr || !input->is_scalar()) return false;
    const size_t dot = input->text.find('.');
    return dot != std::string::npos && sinks->find(input->text.substr(0, dot)) != nullptr;
  });
  for (Located::Entry& entry : sinks->entries) {
    if (entry.value.kind != Located::Kind::kMap) continue;
    Located print;
    print.kind = Located::Kind::kMap;
    print.position = entry.value.position;
    Located type;
    type.kind = Located::Kind::kScalar;
    type.position = entry.value.position;
    type.text = "print";
    print.entries.push_back({"type", entry.key_position, std::move(type)});
    for (Located::Entry& field : entry.value.entries) {
      if (field.key == "input") print.entries.push_back(std::move(field));
    }
    entry.value = std::move(print);
  }
}

}  // namespace millrace
