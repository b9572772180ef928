// Puts the `redis` sink into the registry.
#pragma once

namespace millrace {

struct Registry;
void register_redis(Registry& registry);

}  // namespace millrace
