#include "runtime/operators/window/window.h"

#include "runtime/operators/window/bind.h"
#include "runtime/operators/window/slice_operator.h"

namespace millrace {

void register_window(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "window";
  descriptor.help = "Aggregates per key and window; without `key_by` over all rows.";
  OptionDescriptor window;
  window.name = "window";
  window.kind = OptionKind::kTree;
  window.required = true;
  window.help = "`type: tumbling` with `size` and `offset`; `allowed_lateness`, `late_output`.";
  window.example = "{type: tumbling, size: 1m}";
  OptionDescriptor aggregate;
  aggregate.name = "aggregate";
  aggregate.kind = OptionKind::kTree;
  aggregate.required = true;
  aggregate.help = "`name: expression` with aggregates; each call may have FILTER (WHERE …).";
  aggregate.example = "{orders: COUNT(*), revenue: SUM(amount)}";
  OptionDescriptor having;
  having.name = "having";
  having.kind = OptionKind::kExpression;
  having.help = "Keeps the results for which it is TRUE.";
  having.example = "orders > 10";
  descriptor.fields = {window, aggregate, having};
  descriptor.bind = bind_window;
  registry.plan.operators["window"] = std::move(descriptor);
  registry.factories.operators["window"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_slice_operator(std::static_pointer_cast<const WindowConfig>(node.config), node);
  };
}

}  // namespace millrace
