// Makes the `file` source and sink known.
#pragma once

namespace millrace {

struct Registry;

void register_file(Registry& registry);

}  // namespace millrace
