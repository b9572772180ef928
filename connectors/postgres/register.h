// Puts the `postgres` sink into the registry.
#pragma once

namespace millrace {

struct Registry;
void register_postgres(Registry& registry);

}  // namespace millrace
