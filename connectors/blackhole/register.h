// The `blackhole` sink: takes rows and drops them, for measuring.
#pragma once

namespace millrace {

struct Registry;

void register_blackhole(Registry& registry);

}  // namespace millrace
