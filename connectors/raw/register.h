// Makes the `raw` format known: the record's bytes are the one column, and back.
#pragma once

namespace millrace {

struct Registry;

void register_raw(Registry& registry);

}  // namespace millrace
