#include "testing/expectation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/number_text.h"

namespace millrace {
namespace {

using Json = nlohmann::ordered_json;

std::optional<double> number_in(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string::npos) return std::nullopt;
  return parse_double(text);
}

bool same_value(const Json& expected, const Json& actual) {
  if (expected == actual) return true;
  if (expected.is_number() || actual.is_number()) {  // 55 and "55.00" are the same DECIMAL
    const std::optional<double> a = number_in(expected);
    const std::optional<double> b = number_in(actual);
    return a && b && (*a == *b || std::abs(*a - *b) <= 1e-9 * std::max(std::abs(*a), std::abs(*b)));
  }
  if (expected.is_array() && actual.is_array()) {
    return expected.size() == actual.size() && std::equal(expected.begin(), expected.end(), actual.begin(), same_value);
  }
  if (expected.is_object() && actual.is_object() && expected.size() == actual.size()) {
    return std::all_of(expected.items().begin(), expected.items().end(), [&](const auto& item) {
      return actual.contains(item.key()) && same_value(item.value(), actual[item.key()]);
    });
  }
  return false;
}

bool row_fits(const Json& expected, const Json& actual, bool exact) {
  if (exact && expected.size() != actual.size()) return false;
  for (const auto& [name, value] : expected.items()) {
    if (!actual.contains(name) || !same_value(value, actual[name])) return false;
  }
  return true;
}

/// Maximum matching by augmenting paths: a row that names few columns must not take away the partner of another.
class Matcher {
 public:
  Matcher(const std::vector<Json>& expected, const std::vector<Json>& actual, bool exact)
      : expected_(expected), actual_(actual), exact_(exact), partner_(actual.size(), -1) {
    for (size_t i = 0; i < expected.size(); ++i) {
      std::vector<bool> seen(actual.size(), false);
      if (!augment(i, seen)) missing.push_back(i);
    }
    for (size_t j = 0; j < actual.size(); ++j) {
      if (partner_[j] < 0) unexpected.push_back(j);
    }
  }
  std::vector<size_t> missing;
  std::vector<size_t> unexpected;

 private:
  bool augment(size_t i, std::vector<bool>& seen) {
    for (size_t j = 0; j < actual_.size(); ++j) {
      if (seen[j] || !row_fits(expected_[i], actual_[j], exact_)) continue;
      seen[j] = true;
      if (partner_[j] < 0 || augment(static_cast<size_t>(partner_[j]), seen)) {
        partner_[j] = static_cast<int64_t>(i);
        return true;
      }
    }
    return false;
  }

  const std::vector<Json>& expected_;
  const std::vector<Json>& actual_;
  bool exact_;
  std::vector<int64_t> partner_;
};

std::string show_rows(const char* title, const std::vector<Json>& rows, const std::vector<size_t>& which) {
  std::string text;
  if (which.empty()) return text;
  text += std::string("    ") + title + "\n";
  for (const size_t i : which) text += "      " + rows[i].dump() + "\n";
  return text;
}

std::string compare_ordered(const std::vector<Json>& expected, const std::vector<Json>& actual, bool exact) {
  const size_t count = std::max(expected.size(), actual.size());
  for (size_t i = 0; i < count; ++i) {
    if (i < expected.size() && i < actual.size() && row_fits(expected[i], actual[i], exact)) continue;
    return "    row " + std::to_string(i + 1) + ":\n      expected " +
           (i < expected.size() ? expected[i].dump() : "nothing more") + "\n      came     " +
           (i < actual.size() ? actual[i].dump() : "nothing more") + "\n";
  }
  return {};
}

bool is_plain_number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string::npos) return false;
  return Json::accept(text);
}

Json to_json(const Located& value) {
  switch (value.kind) {
    case Located::Kind::kNull:
      return nullptr;
    case Located::Kind::kScalar:
      if (value.quoted) return value.text;
      if (value.text == "true") return true;
      if (value.text == "false") return false;
      if (value.text == "null" || value.text == "~") return nullptr;
      if (is_plain_number(value.text)) return Json::parse(value.text);
      return value.text;
    case Located::Kind::kList: {
      Json list = Json::array();
      for (const Located& item : value.items) list.push_back(to_json(item));
      return list;
    }
    case Located::Kind::kMap: {
      Json object = Json::object();
      for (const Located::Entry& entry : value.entries) object[entry.key] = to_json(entry.value);
      return object;
    }
  }
  return nullptr;
}

}  // namespace

std::string located_to_json(const Located& value) { return to_json(value).dump(); }

std::vector<std::string> end_state(const std::vector<std::string>& changelog) {
  std::vector<std::string> rows;
  for (const std::string& line : changelog) {
    Json row = Json::parse(line);
    const std::string op = row.value("op", "+I");
    row.erase("op");
    std::string text = row.dump();
    if (op == "+I" || op == "+U") {
      rows.push_back(std::move(text));
    } else if (const auto found = std::find(rows.begin(), rows.end(), text); found != rows.end()) {
      rows.erase(found);
    } else {
      rows.push_back("{\"op\":\"" + op + " of a row that was never added\",\"row\":" + text + "}");
    }
  }
  return rows;
}

std::string compare_rows(const Located& expected, const std::vector<std::string>& lines,
                         const ExpectationRules& rules) {
  std::vector<Json> wanted;
  bool with_op = false;
  for (const Located& row : expected.items) {
    wanted.push_back(to_json(row));
    with_op = with_op || row.find("op") != nullptr;
  }
  std::vector<Json> came;
  for (const std::string& line : rules.updating && !with_op ? end_state(lines) : lines)
    came.push_back(Json::parse(line));
  if (rules.ordered) return compare_ordered(wanted, came, rules.exact);
  const Matcher matcher(wanted, came, rules.exact);
  return show_rows("missing:", wanted, matcher.missing) + show_rows("not expected:", came, matcher.unexpected);
}

}  // namespace millrace
