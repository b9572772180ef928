#include "cli/wiring.h"

#include "connector_table.h"
#include "functions/aggregates/register.h"
#include "functions/register_all.h"
#include "runtime/operators/register_all.h"

namespace millrace {

void register_everything(Registry& registry) {
  register_all_functions(registry.plan.functions);
  register_aggregates(registry.plan.functions);
  register_operators(registry);
  register_connectors(registry);
}

}  // namespace millrace
