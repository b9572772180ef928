#include "runtime/operators/process/process.h"

#include "runtime/operators/process/bind.h"
#include "runtime/operators/process/process_operator.h"

namespace millrace {

void register_process(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "process";
  descriptor.help = "Keyed state, timers and actions: what no other operator does.";
  OptionDescriptor field;
  field.name = "process";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help =
      "`state: {name: {type, default, ttl, ttl_time}}`; `on_event` and `on_timer: {name: [..]}` are lists of actions: "
      "`if`/`then`/`else`, `set: {s: v, m[k]: v}`, `clear: s` or `m[k]`, `emit: {..}` with `to:` a side output, "
      "`timer: {name, at, time}`, `cancel_timer: {name, at}` (without `at` all), `for_each: {item: list, do: [..]}`. "
      "CURRENT_WATERMARK(); in timers TIMER_TIME().";
  field.example =
      "{state: {n: {type: BIGINT, default: 0}}, on_event: [{set: {n: n + 1}}, {if: n = 101, then: [{emit: {user: "
      "user}}]}]}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_process;
  registry.plan.operators["process"] = std::move(descriptor);
  registry.factories.operators["process"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_process(std::static_pointer_cast<const ProcessConfig>(node.config), node);
  };
}

}  // namespace millrace
