// SQL/JSON paths: [lax|strict] $.name['name'][index][*] and filters [?(@.name > 1)]. Compiled once; immutable, any
// thread. Without a mode a path is strict, as in Flink. What is not in this list is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "functions/json/json_text.h"

namespace millrace {

class JsonPath {
 public:
  static Result<JsonPath> compile(std::string_view text);

  struct Found {
    bool failed = false;   // strict: the path does not exist, or its value is null
    bool present = false;  // there is a value that is not null
    JsonNode value;        // of a path with [*] or a filter: the array of all matches
  };
  [[nodiscard]] Found read(const JsonNode& document) const;
  [[nodiscard]] bool lax() const { return lax_; }

 private:
  struct Step {
    enum class Kind : uint8_t { kMember, kIndex, kAll, kFilter } kind = Kind::kMember;
    std::string name;
    int64_t index = 0;
    std::vector<std::string> operand;  // kFilter: @.a.b
    std::string comparison;            // "" = exists
    JsonNode literal;
  };
  class Reader;
  static bool passes(const Step& filter, const JsonNode& item);
  void collect(const JsonNode& node, size_t step, std::vector<const JsonNode*>& matches) const;

  bool lax_ = false;
  bool definite_ = true;
  std::vector<Step> steps_;
};

}  // namespace millrace
