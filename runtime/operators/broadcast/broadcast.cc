// Rules go to every subtask, each keeps all of them: the newest row per key, gone when the rules stream deletes it. A
// row of the input meets the rules that are there when it comes. All subtasks hold the same rules, so one of them
// saves them and all read them back, whatever the parallelism.
#include "runtime/operators/broadcast/broadcast.h"

#include <fmt/format.h>

#include <map>

#include "core/bytes.h"
#include "plan/option_reader.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/join/input.h"
#include "runtime/operators/join/pairs.h"
#include "runtime/operators/state_fields.h"

namespace millrace {
namespace {

constexpr uint32_t kRulesSide = 1;

class BroadcastOperator final : public Operator {
 public:
  BroadcastOperator(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : config_(std::move(config)), input_(*config_), pairs_(std::move(pairs)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    state_ = context.state("rules", StateKind::kSplit);
    if (context.restored == nullptr) return {};
    return context.restored->visit(state_, context.key_groups, context.subtask, context.parallelism,
                                   [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                     ByteReader in(value);
                                     if (load_join_row(in, rules_[std::string(key)]) && in.done()) return {};
                                     return make_error(ErrorCode::kCorruptState, "a rule cannot be read");
                                   });
  }

  Result<Flow> process(uint32_t side, Batch& batch, Output& out) override {
    if (input_.at_start()) input_.start(side, batch);
    if (side == kRulesSide) {
      JoinInputRow in;
      while (input_.next(side, batch, in)) keep(in);
      return Flow::kNeedInput;
    }
    while (has_row_ || input_.next(side, batch, row_)) {
      if (!has_row_) MR_TRY(choose());
      has_row_ = true;
      if (!pairs_->full()) MR_TRY(add());
      if (next_ < chosen_.size()) {
        MR_TRY(pairs_->flush(out));
        return Flow::kMoreOutput;
      }
      has_row_ = false;
    }
    MR_TRY(pairs_->flush(out));
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    if (context_.subtask != 0) return parts;
    auto part = std::make_unique<RowsSnapshot>(state_);
    for (const auto& [key, rule] : rules_) {
      ByteWriter out;
      save_join_row(rule, out);
      part->add(0, key, out.take());
    }
    parts.push_back(std::move(part));
    return parts;
  }

 private:
  void keep(JoinInputRow& in) {
    if (in.kind == RowKind::kUpdateBefore) return;  // its successor comes
    if (in.kind == RowKind::kDelete) {
      rules_.erase(std::string(in.key));
    } else {
      rules_.insert_or_assign(std::string(in.key), std::move(in.row));
    }
  }

  /// What the row makes: one pair per rule that fits.
  Status choose() {
    chosen_.clear();
    next_ = 0;
    std::vector<JoinPair> all;
    for (const auto& [key, rule] : rules_) all.push_back({&row_.row, &rule});
    MR_TRY(pairs_->test(all, passes_));
    for (size_t i = 0; i < all.size(); ++i) {
      if (passes_[i] != 0) chosen_.push_back(all[i]);
    }
    if (chosen_.empty() && config_->keeps_left()) chosen_.push_back({&row_.row, nullptr});
    return {};
  }

  Status add() {
    for (; next_ < chosen_.size() && !pairs_->full(); ++next_) {
      MR_TRY(pairs_->add(chosen_[next_], row_.row.time, RowKind::kInsert));
    }
    return {};
  }

  std::shared_ptr<const JoinConfig> config_;
  JoinInput input_;
  std::unique_ptr<JoinPairs> pairs_;
  OperatorContext context_;
  StateDescriptor state_;
  std::map<std::string, JoinRow> rules_;  // by key
  JoinInputRow row_;                      // of the input, on its way through the rules
  bool has_row_ = false;
  std::vector<JoinPair> chosen_;
  size_t next_ = 0;
  std::vector<uint8_t> passes_;
};

std::vector<OptionDescriptor> broadcast_fields() {
  const auto field = [](std::string name, OptionKind kind, std::string help, std::string example) {
    OptionDescriptor made;
    made.name = std::move(name);
    made.kind = kind;
    made.help = std::move(help);
    made.example = std::move(example);
    return made;
  };
  OptionDescriptor input = field("input", OptionKind::kText, "The rows.", "payments");
  OptionDescriptor rules = field("rules", OptionKind::kText, "The small stream of rules.", "limits");
  OptionDescriptor key = field("key", OptionKind::kTextList,
                               "Columns of a rule: a newer rule replaces the one of the "
                               "same key.",
                               "[rule_id]");
  input.required = rules.required = key.required = true;
  OptionDescriptor type = field("type", OptionKind::kChoice, "left: rows that no rule fits are shown, too.", "left");
  type.choices = {"inner", "left"};
  type.default_text = "inner";
  return {std::move(input),
          std::move(rules),
          std::move(key),
          std::move(type),
          field("where", OptionKind::kExpression, "When a rule fits a row; without it always.",
                "payments.amount > limits.amount"),
          field("select", OptionKind::kTree, "Output columns: name: expression; without it all columns.",
                "{payment: payments.id, rule: limits.rule_id}")};
}

/// Columns of both sides, known by `<input>.<column>`.
Scope broadcast_scope(const BindContext& context, bool rules_may_be_absent) {
  Scope scope = context.scope();
  scope.columns.clear();
  for (size_t side = 0; side < 2; ++side) {
    for (const Field& field : context.inputs[side].schema->fields) {
      const bool nullable = side == kRulesSide && rules_may_be_absent;
      scope.columns.push_back(
          {context.inputs[side].name, field.name, nullable ? with_nullable(field.type, true) : field.type});
    }
  }
  return scope;
}

bool bind_broadcast_select(const BindContext& context, const Located& tree, const Scope& scope, JoinConfig& config) {
  auto schema = std::make_shared<Schema>();
  bool ok = true;
  const auto add = [&](const std::string& name, TypedExprPtr expression, Position at) {
    ok = expression && add_output_field(context, *schema, name, expression->type, at) && ok;
    if (expression) config.select.push_back(std::move(expression));
  };
  if (const Located* select = tree.find("select")) {
    for (const auto& entry : select->entries) {
      add(entry.key, bind_expression(context, entry.value, scope), entry.key_position);
    }
    if (select->entries.empty()) {
      context.diagnostics->error(ErrorCode::kWrongShape, select->position, "`select` is a mapping name: expression");
      ok = false;
    }
  } else {
    for (uint32_t i = 0; i < scope.columns.size(); ++i) {
      auto expression = std::make_shared<TypedExpr>();
      expression->kind = ExprKind::kColumn;
      expression->column = i;
      expression->type = scope.columns[i].type;
      add(scope.columns[i].name, std::move(expression), tree.position);
    }
  }
  config.output = schema;
  return ok;
}

std::vector<StateSchema> broadcast_states(const JoinConfig& config) {
  StateSchema state;
  state.name = "rules";
  state.kind = StateKind::kSplit;
  state.form = "broadcast";
  state.key = {key_field(*config.inputs[kRulesSide], config.keys[kRulesSide])};
  state.value = join_row_fields(*config.inputs[kRulesSide]);
  return {std::move(state)};
}

std::optional<BoundOperator> bind_broadcast(const BindContext& context) {
  const Located& tree = context.options->located("broadcast");
  const OptionValues options = read_options(tree, broadcast_fields(), "`broadcast`", *context.diagnostics);
  if (context.inputs.size() != 2 || !options.has("key")) return std::nullopt;
  if (context.inputs[0].changelog != Changelog::kAppend) {
    context.diagnostics->error(
        ErrorCode::kNotSupportedYet, tree.position,
        fmt::format("broadcast cannot read `{}`, whose rows are updated, as `input`", context.inputs[0].name));
    return std::nullopt;
  }
  auto config = std::make_shared<JoinConfig>();
  config->type = options.text("type") == "left" ? JoinType::kLeft : JoinType::kInner;
  for (size_t side = 0; side < 2; ++side) config->inputs[side] = context.inputs[side].schema;
  for (const std::string& name : options.texts("key")) {
    const auto column = bind_column(context, *config->inputs[kRulesSide], name, *tree.find("key"));
    if (!column) return std::nullopt;
    config->keys[kRulesSide].push_back(*column);
  }
  const Scope scope = broadcast_scope(context, config->keeps_left());
  if (const Located* where = tree.find("where")) {
    config->where = bind_predicate(context, *where, scope);
    if (!config->where) return std::nullopt;
  }
  if (!bind_broadcast_select(context, tree, scope, *config)) return std::nullopt;
  BoundOperator bound;
  bound.outputs = {Port{"", config->output, Changelog::kAppend, {}}};
  bound.partitioning = {Partitioning::kForward, Partitioning::kBroadcast};
  bound.stateful = true;
  bound.states = broadcast_states(*config);
  bound.detail = fmt::format("{} with the rules of {}", context.inputs[0].name, context.inputs[1].name);
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_broadcast(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "broadcast";
  descriptor.inputs_max = 2;
  descriptor.help = "Rows meet the rules of a small stream that every subtask keeps whole.";
  OptionDescriptor field;
  field.name = "broadcast";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "input, rules, key, type, where, select.";
  field.example = "{input: payments, rules: limits, key: [rule_id], where: payments.amount > limits.amount}";
  descriptor.fields = {std::move(field)};
  descriptor.inputs = inputs_named_in("broadcast", {"input", "rules"});
  descriptor.bind = bind_broadcast;
  registry.plan.operators["broadcast"] = std::move(descriptor);
  registry.factories.operators["broadcast"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    auto config = std::static_pointer_cast<const JoinConfig>(node.config);
    MR_ASSIGN(auto pairs, JoinPairs::make(*config));
    return std::make_unique<BroadcastOperator>(std::move(config), std::move(pairs));
  };
}

}  // namespace millrace
