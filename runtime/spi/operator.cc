#include "runtime/spi/operator.h"

namespace millrace {

StateDescriptor OperatorContext::state(std::string_view name, StateKind kind) const {
  StateDescriptor descriptor{step, std::string(name), kind, {}};
  if (states == nullptr) return descriptor;
  const StateSchema* schema = find_state(*states, name);
  MR_CHECK(schema != nullptr && schema->kind == kind,
           "bind() of " + step + " did not describe its state " + descriptor.name);
  descriptor.layout = state_layout(*schema);
  return descriptor;
}

}  // namespace millrace
