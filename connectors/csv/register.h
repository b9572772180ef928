// Makes the `csv` format known.
#pragma once

namespace millrace {

struct Registry;

void register_csv(Registry& registry);

}  // namespace millrace
