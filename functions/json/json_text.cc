#include "functions/json/json_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/number_text.h"
#include "functions/strings/utf8.h"

namespace millrace {

namespace {

constexpr int kJsonDepthMax = 200;

/// BigDecimal.toString of digits with a point or an exponent: plain for exponents from -6, else scientific.
std::string big_decimal_text(std::string_view number) {
  bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  std::string digits;
  int64_t scale = 0;
  size_t at = 0;
  bool point = false;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      point = true;
      continue;
    }
    digits += number[at];
    if (point) ++scale;
  }
  if (at < number.size()) {
    std::string_view exponent = number.substr(at + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    scale -= parse_int64(exponent).value_or(0);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  auto count = static_cast<int64_t>(digits.size());
  int64_t adjusted = count - 1 - scale;
  std::string out = negative && digits != "0" ? "-" : "";
  if (scale >= 0 && adjusted >= -6) {
    if (scale == 0) return out + digits;
    if (count <= scale) digits.insert(0, static_cast<size_t>(scale - count + 1), '0');
    return out + digits.insert(digits.size() - static_cast<size_t>(scale), 1, '.');
  }
  out += digits[0];
  if (count > 1) out += '.' + digits.substr(1);
  return adjusted == 0 ? out : out + fmt::format("E{}{}", adjusted > 0 ? "+" : "", adjusted);
}

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  std::optional<JsonNode> run() {
    skip_blanks();
    JsonNode node;
    if (!value(node, 0)) return std::nullopt;
    // A number or word at the top must end there.
    bool bare = node.kind != JsonNode::Kind::kText && node.is_scalar();
    if (bare && at_ < text_.size() && !is_blank(text_[at_])) return std::nullopt;
    return node;
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  bool value(JsonNode& node, int depth) {
    if (depth > kJsonDepthMax) return false;
    switch (peek()) {
      case '{':
        return object(node, depth);
      case '[':
        return array(node, depth);
      case '"':
        node.kind = JsonNode::Kind::kText;
        return string(node.text);
      case 't':
        node.kind = JsonNode::Kind::kBoolean;
        node.truth = true;
        return word("true");
      case 'f':
        node.kind = JsonNode::Kind::kBoolean;
        return word("false");
      case 'n':
        return word("null");
      default:
        return number(node);
    }
  }

  bool digits() {
    size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }

  bool number(JsonNode& node) {
    size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
      if (peek() >= '0' && peek() <= '9') return false;
    } else if (!digits()) {
      return false;
    }
    bool whole = true;
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    node.kind = JsonNode::Kind::kNumber;
    std::string_view written = text_.substr(start, at_ - start);
    node.text = whole ? std::string(written == "-0" ? "0" : written) : big_decimal_text(written);
    return true;
  }

  bool unicode_escape(char32_t& code) {
    if (at_ + 4 > text_.size()) return false;
    code = 0;
    for (int i = 0; i < 4; ++i) {
      char c = text_[at_++];
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      if (digit < 0) return false;
      code = code * 16 + static_cast<char32_t>(digit);
    }
    return true;
  }

  bool string(std::string& out) {
    ++at_;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) return false;
      char escaped = text_[at_++];
      size_t simple = std::string_view("\"\\/bfnrt").find(escaped);
      if (simple != std::string_view::npos) {
        out += "\"\\/\b\f\n\r\t"[simple];
        continue;
      }
      char32_t code = 0;
      if (escaped != 'u' || !unicode_escape(code)) return false;
      if (code >= 0xD800 && code < 0xDC00 && word("\\u")) {
        char32_t low = 0;
        if (!unicode_escape(low) || low < 0xDC00 || low > 0xDFFF) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      }
      utf8_append(out, code);
    }
    return false;
  }

  bool array(JsonNode& node, int depth) {
    node.kind = JsonNode::Kind::kArray;
    ++at_;
    skip_blanks();
    if (peek() == ']') {
      ++at_;
      return true;
    }
    while (true) {
      skip_blanks();
      if (!value(node.items.emplace_back(), depth + 1)) return false;
      skip_blanks();
      char c = peek();
      ++at_;
      if (c == ']') return true;
      if (c != ',') return false;
    }
  }

  bool object(JsonNode& node, int depth) {
    node.kind = JsonNode::Kind::kObject;
    ++at_;
    skip_blanks();
    if (peek() == '}') {
      ++at_;
      return true;
    }
    while (true) {
      skip_blanks();
      std::string key;
      if (peek() != '"' || !string(key)) return false;
      skip_blanks();
      if (peek() != ':') return false;
      ++at_;
      skip_blanks();
      JsonNode member;
      if (!value(member, depth + 1)) return false;
      auto known = std::ranges::find(node.members, key, &std::pair<std::string, JsonNode>::first);
      if (known != node.members.end())
        known->second = std::move(member);
      else
        node.members.emplace_back(std::move(key), std::move(member));
      skip_blanks();
      char c = peek();
      ++at_;
      if (c == '}') return true;
      if (c != ',') return false;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const JsonNode* JsonNode::find(std::string_view key) const {
  for (const auto& [name, member] : members) {
    if (name == key) return &member;
  }
  return nullptr;
}

std::optional<JsonNode> parse_json_text(std::string_view text) { return JsonReader(text).run(); }

void append_json_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    size_t simple = std::string_view("\"\\\b\f\n\r\t").find(c);
    if (simple != std::string_view::npos) {
      out += '\\';
      out += "\"\\bfnrt"[simple];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_json_node(std::string& out, const JsonNode& node) {
  switch (node.kind) {
    case JsonNode::Kind::kNull:
      out += "null";
      break;
    case JsonNode::Kind::kBoolean:
      out += node.truth ? "true" : "false";
      break;
    case JsonNode::Kind::kNumber:
      out += node.text;
      break;
    case JsonNode::Kind::kText:
      append_json_quoted(out, node.text);
      break;
    case JsonNode::Kind::kArray:
      out += '[';
      for (size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ',';
        append_json_node(out, node.items[i]);
      }
      out += ']';
      break;
    case JsonNode::Kind::kObject: {
      std::vector<const std::pair<std::string, JsonNode>*> sorted;
      for (const auto& member : node.members) sorted.push_back(&member);
      std::ranges::sort(sorted, {}, [](const auto* member) { return std::string_view(member->first); });
      out += '{';
      for (size_t i = 0; i < sorted.size(); ++i) {
        if (i > 0) out += ',';
        append_json_quoted(out, sorted[i]->first);
        out += ':';
        append_json_node(out, sorted[i]->second);
      }
      out += '}';
    }
  }
}

}  // namespace millrace
