// Makes the `datagen` source known.
#pragma once

namespace millrace {

struct Registry;

void register_datagen(Registry& registry);

}  // namespace millrace
