#include "functions/register_all.h"

#include "functions/aggregates/register.h"

namespace millrace {

void register_all_functions(FunctionRegistry& registry) {
  register_compare(registry);
  register_arithmetic(registry);
  register_math(registry);
  register_conditional(registry);
  register_strings(registry);
  register_regex(registry);
  register_hash(registry);
  register_time(registry);
  register_collections(registry);
  register_json(registry);
  register_aggregates(registry);
}

}  // namespace millrace
