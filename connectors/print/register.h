// The `print` sink: rows on standard output, one JSON object a line, flushed per batch.
#pragma once

namespace millrace {

struct Registry;

void register_print(Registry& registry);

}  // namespace millrace
