// Makes the `json` format known.
#pragma once

namespace millrace {

struct Registry;

void register_json(Registry& registry);

}  // namespace millrace
