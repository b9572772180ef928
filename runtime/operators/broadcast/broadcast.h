// `broadcast: {input: …, rules: …, key: …, where: …}`: rows meet rules that every subtask knows.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_broadcast(Registry& registry);

}  // namespace millrace
