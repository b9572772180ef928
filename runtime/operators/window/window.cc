#include "runtime/operators/window/window.h"

#include "runtime/operators/window/bind.h"
#include "runtime/operators/window/count_operator.h"
#include "runtime/operators/window/global_operator.h"
#include "runtime/operators/window/key_window_operator.h"
#include "runtime/operators/window/partial_sums.h"
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
  window.help = "`type: tumbling | sliding | cumulating | session | count | global` and its fields.";
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
    auto config = std::static_pointer_cast<const WindowConfig>(node.config);
    switch (config->spec.kind) {
      case WindowKind::kCount:
        return make_count_operator(std::move(config), node);
      case WindowKind::kGlobal:
        return make_global_operator(std::move(config), node);
      default:
        return config->spec.per_window() ? make_key_window_operator(std::move(config), node)
                                         : make_slice_operator(std::move(config), node);
    }
  };
  registry.factories.operators[std::string(kPartialSums)] = [](const Node& node, const JobGraph& /*graph*/) {
    return make_partial_sums(std::static_pointer_cast<const WindowConfig>(node.config));
  };
}

}  // namespace millrace
