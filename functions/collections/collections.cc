#include "functions/register_all.h"

namespace millrace {

void register_collections(FunctionRegistry&) {}

}  // namespace millrace
