#include "runtime/operators/pattern/pattern.h"

#include "runtime/operators/pattern/bind.h"
#include "runtime/operators/pattern/matcher.h"

namespace millrace {

void register_pattern(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "pattern";
  descriptor.help = "Rows of a key that follow each other in a described way: one row per match (MATCH_RECOGNIZE).";
  OptionDescriptor field;
  field.name = "pattern";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "match, define, measures, within, after_match.";
  field.example = "{match: V C+ P, define: {C: C.action = 'cart'}, measures: {seq: P.seq}, within: 5m}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_pattern;
  registry.plan.operators["pattern"] = std::move(descriptor);
  registry.factories.operators["pattern"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_pattern(std::static_pointer_cast<const PatternConfig>(node.config));
  };
}

}  // namespace millrace
