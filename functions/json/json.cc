#include "functions/register_all.h"

namespace millrace {

void register_json(FunctionRegistry&) {}

}  // namespace millrace
