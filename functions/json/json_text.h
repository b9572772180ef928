// JSON documents for the JSON_… functions: small trees that keep numbers as written. Not for sources of records
// (connectors/json); documents here are single fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

struct JsonNode {
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  bool truth = false;
  std::string text;  // of a number as Java's BigInteger or BigDecimal shows it; of a text decoded
  std::vector<JsonNode> items;
  std::vector<std::pair<std::string, JsonNode>> members;  // a key that comes again replaces the value

  [[nodiscard]] bool is_scalar() const { return kind != Kind::kArray && kind != Kind::kObject; }
  [[nodiscard]] const JsonNode* find(std::string_view key) const;
};

/// The first value of the text; what follows it is not looked at, as in Flink. Nothing when it is malformed.
std::optional<JsonNode> parse_json_text(std::string_view text);

/// Without blanks, keys sorted.
void append_json_node(std::string& out, const JsonNode& node);
void append_json_quoted(std::string& out, std::string_view text);

}  // namespace millrace
