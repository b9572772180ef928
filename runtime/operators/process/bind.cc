#include "runtime/operators/process/bind.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/expr/type_rules.h"
#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/process/config.h"
#include "runtime/operators/state_fields.h"

namespace millrace {
namespace {

constexpr std::string_view kActions[] = {"if", "set", "clear", "emit", "timer", "cancel_timer", "for_each"};

class ProcessBinder {
 public:
  explicit ProcessBinder(const BindContext& context) : context_(context), tree_(context.options->located("process")) {}

  std::optional<BoundOperator> bind() {
    const auto keys = bind_keys(context_);
    if (!require_append(context_, "process") || !keys) return std::nullopt;
    static constexpr std::string_view kFields[] = {"state", "on_event", "on_timer"};
    check_fields(tree_, "`process`", kFields);
    config_->input = context_.inputs[0].schema;
    config_->keys = *keys;
    for (const uint32_t key : *keys) config_->key_types.push_back(config_->input->fields[key].type);
    if (const Located* state = tree_.find("state")) bind_states(*state);
    make_scopes();
    const Located* timers = tree_.find("on_timer");
    for (size_t i = 0; timers != nullptr && i < timers->entries.size(); ++i) {
      config_->timers.push_back(timers->entries[i].key);
    }
    if (const Located* event = tree_.find("on_event")) {
      config_->on_event = bind_actions(*event, row_scope_);
    } else {
      fail(ErrorCode::kMissingField, tree_.position, "process: needs `on_event`");
    }
    for (size_t i = 0; i < config_->timers.size(); ++i) {
      config_->on_timer.push_back(bind_actions(timers->entries[i].value, timer_scope_));
    }
    if (!outputs_.contains(""))
      fail(ErrorCode::kMissingField, tree_.position, "process: no action emits to the main output");
    if (!ok_) return std::nullopt;
    return bound();
  }

 private:
  void fail(ErrorCode code, Position at, std::string message, std::string help = {}) {
    context_.diagnostics->error(code, at, std::move(message), std::move(help));
    ok_ = false;
  }

  void check_fields(const Located& map, std::string_view place, std::span<const std::string_view> known) {
    for (const Located::Entry& entry : map.entries) {
      if (std::ranges::find(known, entry.key) != known.end()) continue;
      report_unknown_field(entry.key, entry.key_position, place, known, *context_.diagnostics);
      ok_ = false;
    }
  }

  void bind_states(const Located& tree) {
    static constexpr std::string_view kFields[] = {"type", "default", "ttl", "ttl_time"};
    for (const Located::Entry& entry : tree.entries) {
      check_fields(entry.value, "a state", kFields);
      ProcessState state;
      state.name = entry.key;
      const Located* type = entry.value.is_scalar() ? &entry.value : entry.value.find("type");
      const auto parsed = type == nullptr
                              ? Result<TypePtr>(make_error(ErrorCode::kMissingField, "a state needs `type`"))
                              : parse_type(type->text);
      if (!parsed) {
        fail(parsed.error().code, entry.key_position, parsed.error().message);
        continue;
      }
      state.type = with_nullable(*parsed, true);
      if (config_->input->find(entry.key)) {
        fail(ErrorCode::kDuplicateName, entry.key_position,
             fmt::format("the state `{}` has the name of a column", entry.key));
      }
      if (const Located* value = entry.value.find("default")) {
        state.otherwise = add_expression(*value, constants_, state.type);
      }
      if (const Located* ttl = entry.value.find("ttl")) {
        const auto duration = parse_duration(ttl->text);
        if (!duration || *duration <= 0) fail(ErrorCode::kBadValue, ttl->position, "`ttl` is a duration above zero");
        state.ttl_ms = duration ? *duration : 0;
      }
      const Located* time = entry.value.find("ttl_time");
      state.ttl_event_time = time != nullptr && time->text == "event";
      if (time != nullptr && time->text != "event" && time->text != "processing") {
        fail(ErrorCode::kBadValue, time->position, "`ttl_time` is `processing` or `event`");
      }
      config_->states.push_back(std::move(state));
    }
  }

  void make_scopes() {
    row_scope_ = input_scope(context_);
    for (const ProcessState& state : config_->states) row_scope_.columns.push_back({"", state.name, state.type});
    row_scope_.allow_watermark = true;
    timer_scope_ = row_scope_;
    timer_scope_.allow_timer_time = true;
    for (uint32_t i = 0; i < config_->input->size(); ++i) {
      // A timer has no row, only a key.
      if (std::ranges::find(config_->keys, i) == config_->keys.end()) timer_scope_.columns[i].name = "\x01";
    }
  }

  int32_t add_expression(TypedExprPtr expression) {
    config_->expressions.push_back(std::move(expression));
    return static_cast<int32_t>(config_->expressions.size() - 1);
  }

  /// -1 after reporting.
  int32_t add_expression(const Located& text, const Scope& scope, const TypePtr& target) {
    TypedExprPtr expression = bind_expression(context_, text, scope);
    if (expression && target) {
      auto coerced = coerce_expression(expression, target);
      if (!coerced) context_.diagnostics->expression(text, coerced.error());
      expression = coerced ? *coerced : nullptr;
    }
    if (!expression) {
      ok_ = false;
      return -1;
    }
    return add_expression(std::move(expression));
  }

  std::vector<ProcessAction> bind_actions(const Located& list, const Scope& scope) {
    std::vector<ProcessAction> actions;
    std::vector<Located> single;
    if (list.kind == Located::Kind::kMap) single.push_back(list);
    for (const Located& item : list.kind == Located::Kind::kMap ? single : list.items) {
      if (item.kind != Located::Kind::kMap || item.entries.empty()) {
        fail(ErrorCode::kWrongShape, item.position, "an action is a mapping such as `set: {count: count + 1}`");
        continue;
      }
      bind_action(item, scope, actions);
    }
    return actions;
  }

  void bind_action(const Located& item, const Scope& scope, std::vector<ProcessAction>& out) {
    const Located::Entry& first = item.entries.front();
    const std::string& name = first.key;
    if (name == "if") {
      bind_if(item, scope, out);
    } else if (name == "set") {
      only(item, {"set"});
      for (const Located::Entry& entry : first.value.entries) bind_set(entry, scope, out);
    } else if (name == "clear") {
      only(item, {"clear"});
      std::vector<Located> targets = first.value.items;
      if (first.value.is_scalar()) targets.push_back(first.value);
      for (const Located& target : targets) bind_clear(target, scope, out);
    } else if (name == "emit") {
      bind_emit(item, scope, out);
    } else if (name == "timer" || name == "cancel_timer") {
      only(item, {name});
      bind_timer(first.value, scope, name == "timer", out);
    } else if (name == "for_each") {
      only(item, {"for_each"});
      bind_for_each(first.value, scope, out);
    } else {
      report_unknown_field(name, first.key_position, "an action", kActions, *context_.diagnostics);
      ok_ = false;
    }
  }

  void only(const Located& item, std::initializer_list<std::string_view> known) {
    check_fields(item, "an action", std::span(known.begin(), known.size()));
  }

  void bind_if(const Located& item, const Scope& scope, std::vector<ProcessAction>& out) {
    only(item, {"if", "then", "else"});
    ProcessAction action;
    const TypedExprPtr condition = bind_predicate(context_, *item.find("if"), scope);
    ok_ = ok_ && condition != nullptr;
    if (condition) action.value = add_expression(condition);
    const Located* then = item.find("then");
    if (then == nullptr) {
      fail(ErrorCode::kMissingField, item.position, "`if` needs `then`");
      return;
    }
    action.actions = bind_actions(*then, scope);
    if (const Located* otherwise = item.find("else")) action.otherwise = bind_actions(*otherwise, scope);
    out.push_back(std::move(action));
  }

  std::optional<uint32_t> find_state(const std::string& name, Position at) {
    for (uint32_t i = 0; i < config_->states.size(); ++i) {
      if (config_->states[i].name == name) return i;
    }
    fail(ErrorCode::kUnknownColumn, at, fmt::format("there is no state `{}`", name));
    return std::nullopt;
  }

  /// `name` or `name[key]`; fills target and map_key.
  bool bind_target(const std::string& text, const Located& at, const Scope& scope, ProcessAction& action) {
    const size_t bracket = text.find('[');
    const auto state = find_state(text.substr(0, bracket), at.position);
    if (!state) return false;
    action.target = *state;
    if (bracket == std::string::npos) return true;
    const TypePtr& type = config_->states[*state].type;
    if (!config_->states[*state].is_map() || !text.ends_with(']')) {
      fail(ErrorCode::kTypeMismatch, at.position, fmt::format("`{}` is no entry of a map", text));
      return false;
    }
    Located key = at;
    key.mapping = Located::Mapping::kNone;
    key.kind = Located::Kind::kScalar;
    key.text = text.substr(bracket + 1, text.size() - bracket - 2);
    action.map_key = add_expression(key, scope, with_nullable(type->children[0], true));
    return action.map_key >= 0;
  }

  void bind_set(const Located::Entry& entry, const Scope& scope, std::vector<ProcessAction>& out) {
    ProcessAction action;
    Located at = entry.value;
    at.position = entry.key_position;
    if (!bind_target(entry.key, at, scope, action)) return;
    const TypePtr& type = config_->states[action.target].type;
    action.kind = action.map_key >= 0 ? ActionKind::kSetEntry : ActionKind::kSet;
    action.value =
        add_expression(entry.value, scope, action.map_key >= 0 ? with_nullable(type->children[1], true) : type);
    out.push_back(std::move(action));
  }

  void bind_clear(const Located& target, const Scope& scope, std::vector<ProcessAction>& out) {
    ProcessAction action;
    if (!bind_target(target.text, target, scope, action)) return;
    action.kind = action.map_key >= 0 ? ActionKind::kClearEntry : ActionKind::kClear;
    out.push_back(std::move(action));
  }

  void bind_emit(const Located& item, const Scope& scope, std::vector<ProcessAction>& out) {
    only(item, {"emit", "to"});
    const Located* to = item.find("to");
    const std::string port = to == nullptr ? "" : to->text;
    ProcessAction action;
    action.kind = ActionKind::kEmit;
    const Located& columns = item.entries.front().value;
    if (item.entries.front().key != "emit" || columns.kind != Located::Kind::kMap || columns.entries.empty()) {
      fail(ErrorCode::kWrongShape, item.position, "emit: needs columns such as `{user: user, total: sum}`");
      return;
    }
    auto schema = std::make_shared<Schema>();
    for (const Located::Entry& entry : columns.entries) {
      const int32_t expression = add_expression(entry.value, scope, nullptr);
      if (expression < 0) return;
      action.columns.push_back(static_cast<uint32_t>(expression));
      const TypePtr& type = config_->expressions[static_cast<size_t>(expression)]->type;
      ok_ = add_output_field(context_, *schema, entry.key, type, entry.key_position) && ok_;
    }
    if (!outputs_.contains(port)) {
      outputs_[port] = static_cast<uint32_t>(ports_.size());
      ports_.push_back({port, schema});
    }
    action.target = outputs_[port];
    if (!merge_schema(*ports_[action.target].schema, *schema)) {
      fail(ErrorCode::kTypeMismatch, item.position,
           fmt::format("every `emit` to {} needs the same columns",
                       port.empty() ? "the main output" : "`" + port + "`"));
    }
    out.push_back(std::move(action));
  }

  static bool merge_schema(Schema& into, const Schema& other) {
    if (into.size() != other.size()) return false;
    for (size_t i = 0; i < into.size(); ++i) {
      Field& field = into.fields[i];
      if (field.name != other.fields[i].name) return false;
      const TypePtr type = least_restrictive(field.type, other.fields[i].type);
      if (!type) return false;
      field.type = type;
    }
    return true;
  }

  void bind_timer(const Located& tree, const Scope& scope, bool set, std::vector<ProcessAction>& out) {
    static constexpr std::string_view kFields[] = {"name", "at", "time"};
    check_fields(tree, "a timer", kFields);
    ProcessAction action;
    action.kind = set ? ActionKind::kTimer : ActionKind::kCancelTimer;
    const Located* name = tree.find("name");
    const auto known = name == nullptr ? config_->timers.end() : std::ranges::find(config_->timers, name->text);
    if (known == config_->timers.end()) {
      fail(ErrorCode::kUnknownField, name == nullptr ? tree.position : name->position,
           "the timer needs a `name` that stands under `on_timer`");
      return;
    }
    action.target = static_cast<uint32_t>(known - config_->timers.begin());
    if (const Located* time = tree.find("time")) {
      action.processing_time = time->text == "processing";
      if (time->text != "processing" && time->text != "event") {
        fail(ErrorCode::kBadValue, time->position, "`time` is `event` or `processing`");
      }
    }
    const Located* at = tree.find("at");
    if (at != nullptr) {
      action.value = add_expression(*at, scope, nullptr);
      if (action.value < 0) return;
      TypedExprPtr& typed = config_->expressions[static_cast<size_t>(action.value)];
      const bool time = typed->type->kind == TypeKind::kTimestamp || typed->type->kind == TypeKind::kTimestampLtz;
      auto millis = time ? ExprResult<TypedExprPtr>(typed) : coerce_expression(typed, make_type(TypeKind::kBigInt));
      if (!millis) {
        fail(ErrorCode::kTypeMismatch, at->position, "`at` is a TIMESTAMP, or milliseconds since the epoch");
        return;
      }
      typed = *millis;
    } else if (set) {
      fail(ErrorCode::kMissingField, tree.position, "`timer` needs `at`");
    }
    out.push_back(std::move(action));
  }

  void bind_for_each(const Located& tree, const Scope& scope, std::vector<ProcessAction>& out) {
    const Located* actions = tree.find("do");
    if (tree.entries.size() != 2 || actions == nullptr) {
      fail(ErrorCode::kWrongShape, tree.position, "for_each: needs a name with a list, and `do`");
      return;
    }
    const Located::Entry& loop = tree.entries[tree.entries[0].key == "do" ? 1 : 0];
    ProcessAction action;
    action.kind = ActionKind::kForEach;
    action.value = add_expression(loop.value, scope, nullptr);
    if (action.value < 0) return;
    const TypePtr& list = config_->expressions[static_cast<size_t>(action.value)]->type;
    if (list->kind != TypeKind::kArray) {
      fail(ErrorCode::kTypeMismatch, loop.value.position, "for_each goes over an ARRAY",
           "such as MAP_KEYS(m) of a map");
      return;
    }
    // Every loop has an item column of its own, whatever its depth.
    action.target = static_cast<uint32_t>(config_->items.size());
    config_->items.push_back(with_nullable(list->children[0], true));
    Scope inner = scope;
    const size_t place = config_->input->size() + config_->states.size() + action.target;
    while (inner.columns.size() < place) inner.columns.push_back({"", "\x01", config_->items[0]});
    inner.columns.push_back({"", loop.key, config_->items.back()});
    action.actions = bind_actions(*actions, inner);
    out.push_back(std::move(action));
  }

  /// Emitted values get the type of their output column.
  void coerce_emits(std::vector<ProcessAction>& actions) {
    for (ProcessAction& action : actions) {
      for (size_t i = 0; action.kind == ActionKind::kEmit && i < action.columns.size(); ++i) {
        TypedExprPtr& expression = config_->expressions[action.columns[i]];
        const TypePtr& type = ports_[action.target].schema->fields[i].type;
        if (same_type(*expression->type, *type)) continue;
        if (auto coerced = coerce_expression(expression, type)) expression = *coerced;
      }
      coerce_emits(action.actions);
      coerce_emits(action.otherwise);
    }
  }

  /// The main output first.
  void order_ports() {
    if (outputs_.at("") == 0) return;
    const uint32_t main = outputs_.at("");
    const auto swap_ports = [main](auto&& self, std::vector<ProcessAction>& actions) -> void {
      for (ProcessAction& action : actions) {
        if (action.kind == ActionKind::kEmit && action.target == main) {
          action.target = 0;
        } else if (action.kind == ActionKind::kEmit && action.target == 0) {
          action.target = main;
        }
        self(self, action.actions);
        self(self, action.otherwise);
      }
    };
    swap_ports(swap_ports, config_->on_event);
    for (auto& actions : config_->on_timer) swap_ports(swap_ports, actions);
    std::swap(ports_[0], ports_[main]);
  }

  struct SidePort {
    std::string name;
    std::shared_ptr<Schema> schema;
  };

  /// The parts of key_state.h: ProcessCodec.
  std::vector<StateSchema> states() const {
    StateField cells = state_field("states", StateForm::kCells);
    for (const ProcessState& state : config_->states) {
      StateField cell = state_field(state.name, StateForm::kOptional);
      cell.parts = {state_field("written", StateForm::kTime)};
      if (state.is_map()) {
        cell.parts.push_back(state_field("value", StateForm::kBytes));
        cell.parts.push_back(list_field(
            "entries", {value_field("key", state.type->children[0]), value_field("value", state.type->children[1])}));
      } else {
        cell.parts.push_back(value_field("value", state.type));
        cell.parts.push_back(list_field("entries", {}));
      }
      cells.parts.push_back(std::move(cell));
    }
    StateField timer = state_field("timer", StateForm::kChoice);
    timer.names = config_->timers;
    const std::vector<StateField> timers = {state_field("time", StateForm::kTime), timer};
    StateSchema state;
    state.name = "process";
    state.form = "process";
    state.key = {key_field(*config_->input, config_->keys)};
    state.value = {std::move(cells), list_field("event_timers", timers), list_field("processing_timers", timers)};
    return {std::move(state), progress_schema("process_progress")};
  }

  std::optional<BoundOperator> bound() {
    coerce_emits(config_->on_event);
    for (auto& actions : config_->on_timer) coerce_emits(actions);
    order_ports();
    BoundOperator bound;
    for (const SidePort& port : ports_) {
      bound.outputs.push_back(Port{port.name, port.schema, Changelog::kAppend, {}});
      config_->outputs.push_back(port.schema);
    }
    bound.states = states();
    bound.partitioning = {config_->keys.empty() ? Partitioning::kGlobal : Partitioning::kHash};
    bound.key_columns = {config_->keys};
    bound.stateful = true;
    bound.single_subtask = config_->keys.empty();
    bound.detail = fmt::format("{} states, {} timers", config_->states.size(), config_->timers.size());
    bound.config = config_;
    return bound;
  }

  const BindContext& context_;
  const Located& tree_;
  std::shared_ptr<ProcessConfig> config_ = std::make_shared<ProcessConfig>();
  Scope constants_;  // defaults read no columns
  Scope row_scope_;
  Scope timer_scope_;
  std::map<std::string, uint32_t> outputs_;
  std::vector<SidePort> ports_;
  bool ok_ = true;
};

}  // namespace

std::optional<BoundOperator> bind_process(const BindContext& context) { return ProcessBinder(context).bind(); }

}  // namespace millrace
