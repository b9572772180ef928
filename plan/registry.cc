#include "plan/registry.h"

namespace millrace {

Scope BindContext::scope(size_t input) const {
  Scope scope = Scope::of(*inputs[input].schema);
  if (parameters != nullptr) scope.parameters = *parameters;
  return scope;
}

}  // namespace millrace
