#include "runtime/operators/join/join.h"

#include "runtime/operators/join/bind.h"
#include "runtime/operators/join/joins.h"

namespace millrace {
namespace {

Result<OperatorPtr> make_join(const Node& node, const JobGraph& /*graph*/) {
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
  }
  return make_error(ErrorCode::kInternal, "unknown kind of join");
}

std::vector<const Located*> join_inputs(const Located& step) {
  std::vector<const Located*> names;
  const Located* join = step.find("join");
  for (const char* side : {"left", "right"}) {
    const Located* name = join == nullptr ? nullptr : join->find(side);
    if (name != nullptr) names.push_back(name);
  }
  return names;
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
  field.help = "kind, type, left, right, equal, where, between, exclusive, window, select, ttl.";
  field.example = "{kind: interval, left: orders, right: payments, equal: [order_id], between: {from: 0s, to: 10m}}";
  descriptor.fields = {std::move(field)};
  descriptor.inputs = join_inputs;
  descriptor.bind = bind_join;
  registry.plan.operators["join"] = std::move(descriptor);
  registry.factories.operators["join"] = make_join;
}

}  // namespace millrace
