// A registry with everything, and a check that shows what the operator kit found.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "functions/register_all.h"
#include "runtime/operators/register_all.h"
#include "testing/operator_kit.h"

namespace millrace {

inline const Registry& operators_registry() {
  static const Registry* const registry = [] {
    auto* made = new Registry;
    register_all_functions(made->plan.functions);
    register_operators(*made);
    return made;
  }();
  return *registry;
}

inline void check_operator(const KitCase& test) {
  std::string text;
  for (const std::string& failure : run_operator_case(operators_registry(), test)) text += failure + "\n";
  INFO(text);
  CHECK(text.empty());
}

/// The message of a step that must not bind.
inline std::string bind_error(const std::string& step, const std::string& input) {
  const auto node = bind_single_step(operators_registry(), step, {input});
  return node ? "it binds" : node.error().message;
}

}  // namespace millrace
