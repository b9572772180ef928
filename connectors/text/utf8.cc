#include "connectors/text/utf8.h"

#include <simdjson.h>

namespace millrace {

bool is_valid_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace millrace
