// YAML text to a tree that knows the place of every key and value. yaml-cpp is used as an event parser only, so that
// its silent habits (duplicate keys, tags, merge keys) become errors here and nesting and aliases stay bounded. Pure
// function of its arguments; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "plan/diagnostic.h"
#include "plan/options.h"

namespace millrace {

inline constexpr size_t kYamlBytesMax = 4u << 20;
inline constexpr size_t kYamlDepthMax = 64;
inline constexpr size_t kYamlNodesMax = 200'000;  // aliases count as often as they are used

/// One document. Nothing when the text cannot be read at all (its diagnostic is E0101); duplicate keys, explicit tags
/// and merge keys are reported and the rest of the tree is still returned, so that other mistakes are found as well.
std::optional<Located> read_yaml(std::string_view text, Diagnostics& diagnostics);

}  // namespace millrace
