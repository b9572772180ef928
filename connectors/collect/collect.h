// The `collect` sink keeps its rows as JSON lines in memory of this process, for tests. Any thread.
#pragma once

#include <string>
#include <vector>

namespace millrace {

/// Lines of the `collect` sink with this id since the last call, in order of arrival; empties the store.
std::vector<std::string> take_collected(const std::string& sink);

}  // namespace millrace
