#include "runtime/operators/join/bind.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/join/config.h"
#include "runtime/operators/join/states.h"

namespace millrace {
namespace {

OptionDescriptor join_field(std::string name, OptionKind kind, std::string help, std::string example) {
  OptionDescriptor field;
  field.name = std::move(name);
  field.kind = kind;
  field.help = std::move(help);
  field.example = std::move(example);
  return field;
}

std::vector<OptionDescriptor> lookup_cache_fields() {
  OptionDescriptor size = join_field("size", OptionKind::kInteger, "Keys that are kept, found or not.", "10000");
  size.default_text = "10000";
  size.min = 1;
  OptionDescriptor ttl = join_field("ttl", OptionKind::kDuration, "How long an answer counts.", "1m");
  ttl.min = 1;
  return {std::move(size), std::move(ttl)};
}

std::vector<OptionDescriptor> lookup_retry_fields() {
  OptionDescriptor attempts = join_field("attempts", OptionKind::kInteger, "Questions before the job fails.", "10");
  attempts.default_text = "10";
  attempts.min = 1;
  OptionDescriptor delay =
      join_field("delay", OptionKind::kDuration, "Pause before the second one; it doubles up to 30 s.", "100ms");
  delay.default_text = "100ms";
  delay.min = 0;
  return {std::move(attempts), std::move(delay)};
}

class JoinBinder {
 public:
  JoinBinder(const BindContext& context, const Registry& registry)
      : context_(context),
        registry_(registry),
        inputs_(context.inputs),
        yaml_(*context.step_yaml->find("join")),
        options_(read_options(yaml_, join_fields(), "`join`", *context.diagnostics)) {}

  std::optional<BoundOperator> bind() {
    config_->kind = choice<JoinKind>(options_.text("kind"), {{"regular", JoinKind::kRegular},
                                                             {"interval", JoinKind::kInterval},
                                                             {"window", JoinKind::kWindow},
                                                             {"temporal", JoinKind::kTemporal},
                                                             {"lookup", JoinKind::kLookup}});
    config_->type = choice<JoinType>(options_.text("type"), {{"inner", JoinType::kInner},
                                                             {"left", JoinType::kLeft},
                                                             {"right", JoinType::kRight},
                                                             {"full", JoinType::kFull},
                                                             {"semi", JoinType::kSemi},
                                                             {"anti", JoinType::kAnti}});
    if (!bind_right() || inputs_.size() != 2) return std::nullopt;
    for (size_t i = 0; i < 2; ++i) {
      config_->inputs[i] = inputs_[i].schema;
      config_->changelogs[i] = inputs_[i].changelog;
    }
    const bool read = bind_equal() && bind_bounds() && bind_window() && bind_lookup() && check_kind();
    make_scope();
    if (!read || !bind_where() || !bind_select()) return std::nullopt;
    return bound();
  }

 private:
  template <class T>
  static T choice(const std::string& text, std::initializer_list<std::pair<std::string_view, T>> values) {
    for (const auto& [name, value] : values) {
      if (name == text) return value;
    }
    return values.begin()->second;
  }

  bool fail(ErrorCode code, Position at, std::string message, std::string help = {}) {
    context_.diagnostics->error(code, at, std::move(message), std::move(help));
    return false;
  }

  /// A table outside instead of a second input.
  bool bind_right() {
    const bool lookup = config_->kind == JoinKind::kLookup;
    const Located* right = yaml_.find("right");
    if (right == nullptr) return false;
    if (lookup != (right->kind == Located::Kind::kMap)) {
      return fail(ErrorCode::kBadPlan, right->position, "a look-up join needs a table as `right`, other joins an input",
                  "write `right: {name: users, type: postgres, table: users, schema: {id: BIGINT, name: STRING}}`");
    }
    if (!lookup) return true;
    BindInput table;
    if (!bind_lookup_table(context_, registry_, *right, config_->table, table.name)) return false;
    table.schema = config_->table.schema;
    inputs_.push_back(std::move(table));
    return true;
  }

  bool bind_lookup() {
    if (config_->kind != JoinKind::kLookup) return true;
    config_->table.keys = config_->keys[1];
    for (const uint32_t column : config_->keys[0]) {
      config_->table.key_types.push_back(config_->inputs[0]->fields[column].type);
    }
    check_lookup_table(context_, registry_, config_->table, yaml_.find("right")->position);
    config_->ordered = options_.boolean("ordered", true);
    config_->in_flight = options_.integer("in_flight", config_->in_flight);
    const Located none;
    const auto part = [&](const char* name) -> const Located& {
      const Located* found = yaml_.find(name);
      return found == nullptr ? none : *found;
    };
    const OptionValues cache = read_options(part("cache"), lookup_cache_fields(), "`cache`", *context_.diagnostics);
    config_->cache_size = cache.integer("size", config_->cache_size);
    config_->cache_ttl_ms = cache.integer("ttl", 0);
    const OptionValues retry = read_options(part("retry"), lookup_retry_fields(), "`retry`", *context_.diagnostics);
    config_->retry_attempts = retry.integer("attempts", config_->retry_attempts);
    config_->retry_delay_ms = retry.integer("delay", config_->retry_delay_ms);
    if (config_->type != JoinType::kInner && config_->type != JoinType::kLeft) {
      return fail(ErrorCode::kBadValue, yaml_.position, "a look-up join is inner or left");
    }
    return !context_.diagnostics->has_errors();
  }

  bool add_key(const std::string& left, const std::string& right, const Located& at) {
    const auto l = bind_column(context_, *config_->inputs[0], left, at);
    const auto r = bind_column(context_, *config_->inputs[1], right, at);
    if (!l || !r) return false;
    const DataType& a = *config_->inputs[0]->fields[*l].type;
    const DataType& b = *config_->inputs[1]->fields[*r].type;
    // Keys meet by their bytes: integers of all widths are alike, everything else needs the same type.
    const bool alike =
        (a.is_integer() && b.is_integer()) || (a.is_text() && b.is_text()) || (a.kind == b.kind && a.scale == b.scale);
    if (!alike) {
      return fail(ErrorCode::kTypeMismatch, at.position,
                  fmt::format("`{}` is {} and `{}` is {}", left, a.to_string(), right, b.to_string()),
                  "make the types equal with `map:` and CAST first");
    }
    config_->keys[0].push_back(*l);
    config_->keys[1].push_back(*r);
    return true;
  }

  bool bind_equal() {
    const Located* equal = yaml_.find("equal");
    if (equal == nullptr) {
      return fail(ErrorCode::kMissingField, yaml_.position, "`equal` is missing", "write `equal: [order_id]`");
    }
    bool ok = true;
    if (equal->is_scalar()) return add_key(equal->text, equal->text, *equal);
    for (const Located& item : equal->items) ok = add_key(item.text, item.text, item) && ok;
    for (const auto& entry : equal->entries) ok = add_key(entry.key, entry.value.text, entry.value) && ok;
    return ok && !config_->keys[0].empty();
  }

  bool duration(const Located* value, int64_t& out) {
    if (value == nullptr) return true;
    const auto parsed = parse_duration(value->text);
    if (!parsed) return fail(ErrorCode::kBadValue, value->position, fmt::format("`{}` is not a duration", value->text));
    out = *parsed;
    return true;
  }

  bool bind_bounds() {
    const Located* between = yaml_.find("between");
    if ((config_->kind == JoinKind::kInterval) != (between != nullptr)) {
      return fail(ErrorCode::kBadPlan, yaml_.position, "an interval join needs `between`, and only it",
                  "write `between: {from: 0s, to: 10m}`: right time minus left time");
    }
    if (between == nullptr) return true;
    if (!duration(between->find("from"), config_->from_ms) || !duration(between->find("to"), config_->to_ms))
      return false;
    for (const std::string& bound : options_.texts("exclusive")) {
      if (bound == "from") ++config_->from_ms;
      if (bound == "to") --config_->to_ms;
    }
    if (config_->from_ms > config_->to_ms) {
      return fail(ErrorCode::kBadValue, between->position, "`from` lies behind `to`: nothing can ever match");
    }
    return true;
  }

  bool bind_window() {
    const Located* window = yaml_.find("window");
    if ((config_->kind == JoinKind::kWindow) != (window != nullptr)) {
      return fail(ErrorCode::kBadPlan, yaml_.position, "a window join needs `window`, and only it",
                  "write `window: {type: tumbling, size: 1m}`");
    }
    if (window == nullptr) return true;
    const Located* type = window->find("type");
    const std::string kind = type == nullptr ? "tumbling" : type->text;
    if (kind != "tumbling" && kind != "sliding") {
      return fail(ErrorCode::kNotSupportedYet, window->position,
                  fmt::format("window joins over `{}` windows are not supported", kind));
    }
    if (!duration(window->find("size"), config_->size_ms) || !duration(window->find("offset"), config_->offset_ms)) {
      return false;
    }
    config_->slide_ms = config_->size_ms;
    if (kind == "sliding" && !duration(window->find("slide"), config_->slide_ms)) return false;
    if (config_->size_ms <= 0 || config_->slide_ms <= 0) {
      return fail(ErrorCode::kBadValue, window->position, "`size` and `slide` have to be above zero");
    }
    return true;
  }

  bool check_kind() {
    const bool updating = config_->changelogs[0] != Changelog::kAppend || config_->changelogs[1] != Changelog::kAppend;
    if (config_->kind == JoinKind::kTemporal) {
      if (config_->type != JoinType::kInner && config_->type != JoinType::kLeft) {
        return fail(ErrorCode::kBadValue, yaml_.position, "a temporal join is inner or left");
      }
      if (config_->changelogs[0] == Changelog::kAppend) return true;
    } else if (config_->kind == JoinKind::kRegular || !updating) {
      return duration(yaml_.find("ttl"), config_->ttl_ms);
    }
    return fail(ErrorCode::kBadPlan, yaml_.position, "this kind of join needs inputs that only append");
  }

  void make_scope() {
    scope_ = context_.scope();
    scope_.columns.clear();
    for (const BindInput& input : inputs_) {
      for (const Field& field : input.schema->fields) scope_.columns.push_back({input.name, field.name, field.type});
    }
    // NULLs stand in for the absent side.
    const size_t left = config_->inputs[0]->size();
    for (size_t i = 0; i < scope_.columns.size(); ++i) {
      if (i < left ? config_->keeps_right() : config_->keeps_left()) {
        scope_.columns[i].type = with_nullable(scope_.columns[i].type, true);
      }
    }
  }

  bool bind_where() {
    const Located* where = yaml_.find("where");
    if (where == nullptr) return true;
    config_->where = bind_predicate(context_, *where, scope_);
    return config_->where != nullptr;
  }

  bool add_output(const std::string& name, TypedExprPtr expression, Position at) {
    if (!expression || !add_output_field(context_, *schema_, name, expression->type, at)) return false;
    config_->select.push_back(std::move(expression));
    return true;
  }

  bool add_column(size_t column, const std::string& name) {
    auto expression = std::make_shared<TypedExpr>();
    expression->kind = ExprKind::kColumn;
    expression->column = static_cast<uint32_t>(column);
    expression->type = scope_.columns[column].type;
    return add_output(name, std::move(expression), yaml_.position);
  }

  bool bind_select() {
    if (config_->kind == JoinKind::kWindow) {
      const TypePtr time = make_type(TypeKind::kTimestamp, false);
      scope_.columns.push_back({"", "window_start", time});
      scope_.columns.push_back({"", "window_end", time});
    }
    const Located* select = yaml_.find("select");
    bool ok = true;
    if (select == nullptr) {
      ok = select_all();
    } else {
      for (const Located& item : select->items) {
        const size_t dot = item.text.rfind('.');
        ok = add_output(item.text.substr(dot == std::string::npos ? 0 : dot + 1),
                        bind_expression(context_, item, scope_), item.position) &&
             ok;
      }
      for (const auto& entry : select->entries) {
        ok = add_output(entry.key, bind_expression(context_, entry.value, scope_), entry.key_position) && ok;
      }
    }
    if (config_->kind == JoinKind::kWindow && !schema_->find("window_start") && !schema_->find("window_end")) {
      ok = add_column(scope_.columns.size() - 2, "window_start") &&
           add_column(scope_.columns.size() - 1, "window_end") && ok;
    }
    config_->output = schema_;
    return ok;
  }

  /// All columns; a column of the right input that has to be equal to one of the same name is left out.
  bool select_all() {
    const size_t left = config_->inputs[0]->size();
    const bool one_sided = config_->type == JoinType::kSemi || config_->type == JoinType::kAnti;
    bool ok = true;
    for (size_t i = 0; i < left + (one_sided ? 0 : config_->inputs[1]->size()); ++i) {
      const std::string& name = scope_.columns[i].name;
      const auto twin = i < left ? std::nullopt : config_->inputs[0]->find(name);
      if (twin) {
        bool equal = false;
        for (size_t k = 0; k < config_->keys[0].size(); ++k) {
          equal = equal || (config_->keys[0][k] == *twin && config_->keys[1][k] == i - left);
        }
        if (equal) continue;
      }
      ok = add_column(i, name) && ok;
    }
    return ok;
  }

  BoundOperator bound() {
    const bool updating = config_->changelogs[0] != Changelog::kAppend || config_->changelogs[1] != Changelog::kAppend;
    const bool retracts = config_->kind == JoinKind::kRegular &&
                          (updating || (config_->type != JoinType::kInner && config_->type != JoinType::kSemi));
    if (config_->kind == JoinKind::kRegular && config_->ttl_ms == 0) {
      context_.diagnostics->warning(ErrorCode::kLintNoTtl, yaml_.position,
                                    fmt::format("`{}` keeps every row of both inputs for ever", context_.step),
                                    "`ttl: 1d` forgets rows that old");
    }
    BoundOperator result;
    result.outputs = {Port{"", config_->output, retracts ? Changelog::kRetract : Changelog::kAppend, {}}};
    result.partitioning = {Partitioning::kHash, Partitioning::kHash};
    result.key_columns = {config_->keys[0], config_->keys[1]};
    result.stateful = true;
    result.states = join_states(*config_);
    result.delay_ms = config_->kind == JoinKind::kWindow ? config_->size_ms : 0;
    result.detail = fmt::format("{} {} join of {} and {}", options_.text("type"), options_.text("kind"),
                                inputs_[0].name, inputs_[1].name);
    if (config_->kind == JoinKind::kLookup) {
      result.partitioning = {Partitioning::kForward};
      result.key_columns = {};
      result.detail = fmt::format("{} look-up of {} in {} ({})", options_.text("type"), inputs_[0].name,
                                  inputs_[1].name, config_->table.connector);
    }
    result.config = config_;
    return result;
  }

  const BindContext& context_;
  const Registry& registry_;
  std::vector<BindInput> inputs_;  // left, right
  const Located& yaml_;
  OptionValues options_;
  std::shared_ptr<JoinConfig> config_ = std::make_shared<JoinConfig>();
  std::shared_ptr<Schema> schema_ = std::make_shared<Schema>();
  Scope scope_;
};

}  // namespace

std::vector<OptionDescriptor> join_fields() {
  std::vector<OptionDescriptor> fields;
  OptionDescriptor kind = join_field("kind", OptionKind::kChoice, "How rows find each other.", "interval");
  kind.choices = {"regular", "interval", "window", "temporal", "lookup"};
  kind.default_text = "regular";
  fields.push_back(std::move(kind));
  OptionDescriptor type = join_field("type", OptionKind::kChoice, "Which rows without a partner are shown.", "left");
  type.choices = {"inner", "left", "right", "full", "semi", "anti"};
  type.default_text = "inner";
  fields.push_back(std::move(type));
  OptionDescriptor left = join_field("left", OptionKind::kText, "Name of an input.", "orders");
  OptionDescriptor right = join_field("right", OptionKind::kTree, "Name of an input; look-ups: the table.", "payments");
  left.required = true;
  right.required = true;
  fields.push_back(std::move(left));
  fields.push_back(std::move(right));
  fields.push_back(
      join_field("equal", OptionKind::kTree, "Columns that have to be equal: a list, or {left: right}.", "[order_id]"));
  fields.push_back(join_field("where", OptionKind::kExpression, "A further condition over both rows.",
                              "orders.amount > payments.paid"));
  fields.push_back(join_field("between", OptionKind::kTree, "Interval joins: bounds of right time minus left time.",
                              "{from: 0s, to: 10m}"));
  fields.push_back(join_field("exclusive", OptionKind::kTextList, "Bounds of `between` that do not belong.", "[to]"));
  fields.push_back(join_field("window", OptionKind::kTree, "Window joins: the window.", "{type: tumbling, size: 1m}"));
  fields.push_back(join_field("select", OptionKind::kTree, "Output columns: a list, or name: expression.",
                              "{order_id: orders.order_id, paid: payments.paid}"));
  fields.push_back(
      join_field("ttl", OptionKind::kDuration, "Regular joins: rows older than this are forgotten.", "1d"));
  fields.push_back(join_field("ordered", OptionKind::kBoolean,
                              "Look-ups: rows leave in the order of their arrival (true), or as answers come.",
                              "false"));
  OptionDescriptor in_flight =
      join_field("in_flight", OptionKind::kInteger, "Look-ups: rows that may wait for answers per subtask.", "1000");
  in_flight.min = 1;
  fields.push_back(std::move(in_flight));
  fields.push_back(join_field("cache", OptionKind::kTree, "Look-ups: answers are kept for `ttl`, `size` at the most.",
                              "{size: 10000, ttl: 1m}"));
  fields.push_back(join_field("retry", OptionKind::kTree, "Look-ups: what happens when the table does not answer.",
                              "{attempts: 10, delay: 100ms}"));
  return fields;
}

std::optional<BoundOperator> bind_join(const BindContext& context, const Registry& registry) {
  return JoinBinder(context, registry).bind();
}

}  // namespace millrace
