// Makes the `collect` sink known.
#pragma once

namespace millrace {

struct Registry;

void register_collect(Registry& registry);

}  // namespace millrace
