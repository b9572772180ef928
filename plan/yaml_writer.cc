#include "plan/yaml_writer.h"

#include <fmt/format.h>

#include "plan/interpolate.h"

namespace millrace {

namespace {

/// Plain texts whose meaning without quotes is certain: numbers, words, ids, simple paths.
bool plain_scalar(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return false;
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '-' || c == '+';
  };
  for (char c : text) {
    if (!safe(c)) return false;
  }
  return text != "-" && text.substr(0, 3) != "---" && text.substr(0, 3) != "...";
}

std::string quoted_scalar(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

class ResolvedWriter {
 public:
  explicit ResolvedWriter(const std::set<const Located*>& secret) : secret_(secret) {}

  /// Writes `value` behind a key or dash that is already on the line.
  void value(const Located& value, const Located& original, size_t indent, bool secret) {
    secret = secret || secret_.contains(&value);
    switch (value.kind) {
      case Located::Kind::kNull:
        out_ += " null\n";
        break;
      case Located::Kind::kScalar:
        out_ += " " + scalar(value, original, secret) + "\n";
        break;
      case Located::Kind::kList:
        if (value.items.empty()) {
          out_ += " []\n";
          break;
        }
        out_ += "\n";
        for (size_t i = 0; i < value.items.size(); ++i) {
          out_ += std::string(indent, ' ') + "-";
          this->value(value.items[i], original.items[i], indent + 2, secret);
        }
        break;
      case Located::Kind::kMap:
        if (value.entries.empty()) {
          out_ += " {}\n";
          break;
        }
        out_ += "\n";
        entries(value, original, indent, secret);
        break;
    }
  }

  void entries(const Located& map, const Located& original, size_t indent, bool secret) {
    for (size_t i = 0; i < map.entries.size(); ++i) {
      const std::string& key = map.entries[i].key;
      out_ += std::string(indent, ' ') + (plain_scalar(key) ? key : quoted_scalar(key)) + ":";
      value(map.entries[i].value, original.entries[i].value, indent + 2, secret);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string scalar(const Located& value, const Located& original, bool secret) {
    const std::string text = secret && original.is_scalar() ? original.text : escape_dollars(value.text);
    return !value.quoted && plain_scalar(text) ? text : quoted_scalar(text);
  }

  const std::set<const Located*>& secret_;
  std::string out_;
};

}  // namespace

std::string write_resolved_yaml(const Located& substituted, const Located& original,
                                const std::set<const Located*>& secret) {
  ResolvedWriter writer(secret);
  writer.entries(substituted, original, 0, false);
  return writer.take();
}

}  // namespace millrace
