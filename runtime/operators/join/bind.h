// Reads and checks `join:`; planning only.
#pragma once

#include <optional>
#include <vector>

#include "plan/registry.h"
#include "runtime/spi/factories.h"

namespace millrace {

/// The fields inside `join:`.
std::vector<OptionDescriptor> join_fields();
/// `registry` knows the tables of look-up joins.
std::optional<BoundOperator> bind_join(const BindContext& context, const Registry& registry);

/// Reads `right:` of a look-up join: the table, and the name by which `where` and `select` know it. The keys are bound
/// by the caller. False after reporting.
bool bind_lookup_table(const BindContext& context, const Registry& registry, const Located& right, LookupConfig& table,
                       std::string& name);
/// Checks what needs the keys.
void check_lookup_table(const BindContext& context, const Registry& registry, const LookupConfig& table, Position at);

}  // namespace millrace
