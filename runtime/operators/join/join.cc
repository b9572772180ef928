#include "runtime/operators/join/join.h"

#include "runtime/operators/binding.h"
#include "runtime/operators/join/bind.h"
#include "runtime/operators/join/joins.h"

namespace millrace {
namespace {

Result<OperatorPtr> make_lookup(std::shared_ptr<const JoinConfig> config, const Registry& registry) {
  const auto found = registry.factories.lookups.find(config->table.connector);
  if (found == registry.factories.lookups.end()) {
    return make_error(ErrorCode::kUnknownConnector, "no look-ups in `" + config->table.connector + "` in this build");
  }
  MR_ASSIGN(LookupSourcePtr source, found->second.make(config->table, registry));
  return make_lookup_join(std::move(config), std::move(source));
}

Result<OperatorPtr> make_join(const Node& node, const Registry& registry) {
  auto config = std::static_pointer_cast<const JoinConfig>(node.config);
  switch (config->kind) {
    case JoinKind::kInterval:
      return make_interval_join(std::move(config));
    case JoinKind::kRegular:
      return make_regular_join(std::move(config));
    case JoinKind::kWindow:
      return make_window_join(std::move(config));
    case JoinKind::kTemporal:
      return make_temporal_join(std::move(config));
    case JoinKind::kLookup:
      return make_lookup(std::move(config), registry);
  }
  return make_error(ErrorCode::kInternal, "unknown kind of join");
}

}  // namespace

void register_join(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "join";
  descriptor.inputs_max = 2;
  descriptor.help = "Rows of two inputs that belong together.";
  OptionDescriptor field;
  field.name = "join";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help =
      "kind, type, left, right, equal, where, between, exclusive, window, select, ttl; look-ups: ordered, in_flight, "
      "cache, retry.";
  field.example = "{kind: interval, left: orders, right: payments, equal: [order_id], between: {from: 0s, to: 10m}}";
  descriptor.fields = {std::move(field)};
  descriptor.inputs = inputs_named_in("join", {"left", "right"});
  // One registry lives as long as the process, at one address.
  descriptor.bind = [&registry](const BindContext& context) { return bind_join(context, registry); };
  registry.plan.operators["join"] = std::move(descriptor);
  registry.factories.operators["join"] = [&registry](const Node& node, const JobGraph& /*graph*/) {
    return make_join(node, registry);
  };
}

}  // namespace millrace
