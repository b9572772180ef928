// UTF-8 validity; any thread.
#pragma once

#include <string_view>

namespace millrace {

bool is_valid_utf8(std::string_view text);

}  // namespace millrace
