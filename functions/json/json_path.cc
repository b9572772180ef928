#include "functions/json/json_path.h"

#include <fmt/format.h>

#include "data/number_text.h"

namespace millrace {

namespace {

bool is_path_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

std::unexpected<Error> path_error(std::string_view text) {
  return make_error(ErrorCode::kNotSupportedYet, fmt::format("the JSON path '{}' is not supported", text),
                    "supported: $.name, ['name'], [index], [*], [?(@.name > 1)], with lax or strict in front");
}

int compare_json(const JsonNode& a, const JsonNode& b, bool& comparable) {
  comparable = a.kind == b.kind && a.is_scalar();
  if (!comparable) return 1;
  if (a.kind == JsonNode::Kind::kNumber) {
    double x = parse_double(a.text).value_or(0);
    double y = parse_double(b.text).value_or(0);
    return x < y ? -1 : (x > y ? 1 : 0);
  }
  if (a.kind == JsonNode::Kind::kBoolean) return static_cast<int>(a.truth) - static_cast<int>(b.truth);
  return a.text.compare(b.text);
}

}  // namespace

/// Reads the text of a path from left to right; false anywhere means not supported.
class JsonPath::Reader {
 public:
  Reader(std::string_view text, JsonPath& path) : rest_(text), path_(path) {}

  bool run() {
    blanks();
    for (std::string_view mode : {"lax", "strict"}) {
      if (rest_.starts_with(mode) && rest_.size() > mode.size() && rest_[mode.size()] == ' ') {
        path_.lax_ = mode == "lax";
        rest_.remove_prefix(mode.size());
        blanks();
      }
    }
    if (!take("$")) return false;
    while (!rest_.empty()) {
      if (!step()) return false;
    }
    return true;
  }

 private:
  void blanks() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool name(std::string& out) {
    size_t end = 0;
    while (end < rest_.size() && is_path_name(rest_[end])) ++end;
    out = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return end > 0;
  }
  bool quoted(std::string& out) {
    char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '\'' && quote != '"') return false;
    size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) return false;
    out = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return out.find('\\') == std::string::npos;
  }
  void add_all() {
    path_.definite_ = false;
    path_.steps_.emplace_back().kind = Step::Kind::kAll;
  }

  bool step() {
    if (take(".")) {
      if (take("*")) {
        add_all();
        return true;
      }
      return name(path_.steps_.emplace_back().name);
    }
    if (!take("[")) return false;
    blanks();
    bool ok = false;
    if (take("*")) {
      add_all();
      ok = true;
    } else if (take("?(")) {
      ok = filter();
    } else if (rest_.starts_with('\'') || rest_.starts_with('"')) {
      ok = quoted(path_.steps_.emplace_back().name);
    } else {
      size_t end = rest_.find_first_not_of("-0123456789");
      auto index = parse_int64(rest_.substr(0, end));
      if (!index || end == std::string_view::npos) return false;
      Step& made = path_.steps_.emplace_back();
      made.kind = Step::Kind::kIndex;
      made.index = *index;
      rest_.remove_prefix(end);
      ok = true;
    }
    blanks();
    return ok && take("]");
  }

  bool filter() {
    path_.definite_ = false;
    Step& made = path_.steps_.emplace_back();
    made.kind = Step::Kind::kFilter;
    blanks();
    if (!take("@")) return false;
    while (take(".")) {
      if (!name(made.operand.emplace_back())) return false;
    }
    blanks();
    for (std::string_view comparison : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (made.comparison.empty() && take(comparison)) made.comparison = comparison;
    }
    blanks();
    if (!made.comparison.empty() && !literal(made.literal)) return false;
    blanks();
    return take(")");
  }

  bool literal(JsonNode& out) {
    std::string text;
    if (quoted(text)) {
      out.kind = JsonNode::Kind::kText;
      out.text = std::move(text);
      return true;
    }
    size_t end = rest_.find_first_of(" )");
    if (end == std::string_view::npos) return false;
    auto parsed = parse_json_text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (!parsed || !parsed->is_scalar()) return false;
    out = std::move(*parsed);
    return true;
  }

  std::string_view rest_;
  JsonPath& path_;
};

Result<JsonPath> JsonPath::compile(std::string_view text) {
  JsonPath path;
  if (!Reader(text, path).run()) return path_error(text);
  return path;
}

bool JsonPath::passes(const Step& filter, const JsonNode& item) {
  const JsonNode* operand = &item;
  for (const std::string& name : filter.operand) {
    operand = operand->kind == JsonNode::Kind::kObject ? operand->find(name) : nullptr;
    if (operand == nullptr) return false;
  }
  if (filter.comparison.empty()) return true;
  bool comparable = false;
  int order = compare_json(*operand, filter.literal, comparable);
  if (filter.comparison == "==") return comparable && order == 0;
  if (filter.comparison == "!=") return !comparable || order != 0;
  if (!comparable || operand->kind == JsonNode::Kind::kNull || operand->kind == JsonNode::Kind::kBoolean) return false;
  if (filter.comparison == "<") return order < 0;
  if (filter.comparison == "<=") return order <= 0;
  return filter.comparison == ">" ? order > 0 : order >= 0;
}

void JsonPath::collect(const JsonNode& node, size_t step, std::vector<const JsonNode*>& matches) const {
  if (step == steps_.size()) {
    matches.push_back(&node);
    return;
  }
  const Step& at = steps_[step];
  switch (at.kind) {
    case Step::Kind::kMember: {
      const JsonNode* member = node.kind == JsonNode::Kind::kObject ? node.find(at.name) : nullptr;
      if (member != nullptr) collect(*member, step + 1, matches);
      break;
    }
    case Step::Kind::kIndex: {
      auto size = static_cast<int64_t>(node.items.size());
      int64_t index = at.index < 0 ? at.index + size : at.index;
      if (node.kind == JsonNode::Kind::kArray && index >= 0 && index < size) {
        collect(node.items[static_cast<size_t>(index)], step + 1, matches);
      }
      break;
    }
    case Step::Kind::kAll:
      for (const JsonNode& item : node.items) collect(item, step + 1, matches);
      for (const auto& [name, member] : node.members) collect(member, step + 1, matches);
      break;
    case Step::Kind::kFilter:
      if (node.kind == JsonNode::Kind::kArray) {
        for (const JsonNode& item : node.items) {
          if (passes(at, item)) collect(item, step + 1, matches);
        }
      } else if (node.kind == JsonNode::Kind::kObject && passes(at, node)) {
        collect(node, step + 1, matches);
      }
      break;
  }
}

JsonPath::Found JsonPath::read(const JsonNode& document) const {
  std::vector<const JsonNode*> matches;
  collect(document, 0, matches);
  Found found;
  if (!definite_) {
    found.present = true;
    found.value.kind = JsonNode::Kind::kArray;
    for (const JsonNode* match : matches) found.value.items.push_back(*match);
    return found;
  }
  if (!matches.empty() && matches[0]->kind != JsonNode::Kind::kNull) {
    found.present = true;
    found.value = *matches[0];
  }
  found.failed = !found.present && !lax_;
  return found;
}

}  // namespace millrace
