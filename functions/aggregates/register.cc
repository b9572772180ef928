#include "functions/aggregates/register.h"

namespace millrace {

void register_aggregates(FunctionRegistry& functions) {
  register_count(functions);
  register_sums(functions);
  register_extremes(functions);
  register_first_last(functions);
  register_statistics(functions);
  register_booleans(functions);
  register_lists(functions);
  register_sketches(functions);
  register_top_k(functions);
  register_json_aggregates(functions);
}

}  // namespace millrace
