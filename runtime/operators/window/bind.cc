#include "runtime/operators/window/bind.h"

#include <fmt/format.h>

#include "plan/option_reader.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/window/partial_sums.h"
#include "runtime/operators/window/states.h"

namespace millrace {

namespace {

OptionDescriptor window_field(std::string name, OptionKind kind, std::string help) {
  OptionDescriptor field;
  field.name = std::move(name);
  field.kind = kind;
  field.help = std::move(help);
  return field;
}

}  // namespace

std::vector<OptionDescriptor> window_spec_fields() {
  OptionDescriptor type = window_field("type", OptionKind::kChoice, "Kind of window.");
  type.required = true;
  type.choices = {"tumbling", "sliding", "cumulating", "session", "count", "global"};
  OptionDescriptor time = window_field("time", OptionKind::kChoice, "Event time, or the wall clock.");
  time.choices = {"event", "processing"};
  time.default_text = "event";
  OptionDescriptor size =
      window_field("size", OptionKind::kTree, "Length: a duration; of count windows a number of rows.");
  OptionDescriptor lateness =
      window_field("allowed_lateness", OptionKind::kDuration, "How long after its end a window takes late rows.");
  lateness.default_text = "0s";
  lateness.min = 0;
  OptionDescriptor accumulate =
      window_field("accumulate", OptionKind::kBoolean, "false: every firing empties the window.");
  accumulate.default_text = "true";
  return {
      type,
      size,
      window_field("slide", OptionKind::kTree, "Sliding: distance of starts; count: rows between firings."),
      window_field("step", OptionKind::kDuration, "Cumulating: distance of ends."),
      window_field("offset", OptionKind::kDuration, "Shift of the alignment to the epoch; may be negative."),
      window_field("gap", OptionKind::kTree, "Session: the pause that ends it; a duration or an expression."),
      time,
      lateness,
      window_field("late_output", OptionKind::kText, "Name of the output of late rows; `late` without it."),
      window_field("emit_early_every", OptionKind::kDuration, "Results before the window's end."),
      accumulate,
      window_field(
          "trigger", OptionKind::kTree,
          "When to fire, instead of at the window's end: `every_rows: 100`, `every: 1m` (since the first row behind "
          "the last firing), `any: [..]`, `all: [..]`; `purge: true` empties the window then.")};
}

namespace {

/// A field that build and kind of window support; reports the others.
struct SpecReader {
  const BindContext& context;
  const OptionValues& options;
  const Located& tree;
  bool ok = true;

  void fail(ErrorCode code, const Located& at, std::string message) {
    context.diagnostics->error(code, at.position.line > 0 ? at.position : tree.position, std::move(message));
    ok = false;
  }
  int64_t duration(const char* name, bool required) {
    const Located& at = options.located(name);
    if (!options.has(name)) {
      if (required) fail(ErrorCode::kMissingField, tree, fmt::format("the window needs `{}`", name));
      return 0;
    }
    OptionDescriptor descriptor;
    descriptor.name = name;
    descriptor.kind = OptionKind::kDuration;
    const auto value = read_option(at, descriptor, *context.diagnostics);
    if (!value) {
      ok = false;
      return 0;
    }
    return std::get<int64_t>(value->value);
  }
  int64_t positive(const char* name) {
    const int64_t value = duration(name, true);
    if (ok && value <= 0) fail(ErrorCode::kBadValue, options.located(name), fmt::format("`{}` must be positive", name));
    return std::max<int64_t>(value, 1);
  }
  void refuse(const char* name, ErrorCode code, const char* why) {
    if (options.has(name) && options.get(name).set)
      fail(code, options.located(name), fmt::format("`{}` {}", name, why));
  }
};

void read_slices(SpecReader& reader, WindowSpec& spec) {
  spec.size_ms = reader.positive("size");
  spec.slide_ms = spec.size_ms;
  spec.offset_ms = reader.duration("offset", false);
  if (spec.kind == WindowKind::kSliding) spec.slide_ms = reader.positive("slide");
  if (spec.kind == WindowKind::kCumulating) {
    spec.slide_ms = reader.positive("step");
    if (reader.ok && spec.size_ms % spec.slide_ms != 0) {
      reader.fail(ErrorCode::kBadValue, reader.options.located("step"), "`size` must be a multiple of `step`");
    }
  }
  if (spec.kind != WindowKind::kSliding) reader.refuse("slide", ErrorCode::kUnknownField, "belongs to sliding windows");
  if (spec.kind != WindowKind::kCumulating) {
    reader.refuse("step", ErrorCode::kUnknownField, "belongs to cumulating windows");
  }
  reader.refuse("gap", ErrorCode::kUnknownField, "belongs to session windows");
}

void read_session(const BindContext& context, SpecReader& reader, WindowSpec& spec) {
  for (const char* name : {"size", "slide", "step", "offset"}) {
    reader.refuse(name, ErrorCode::kUnknownField, "does not belong to session windows");
  }
  const Located& gap = reader.options.located("gap");
  if (!reader.options.has("gap")) {
    reader.fail(ErrorCode::kMissingField, reader.tree, "a session window needs `gap`");
    return;
  }
  OptionDescriptor duration;
  duration.name = "gap";
  duration.kind = OptionKind::kDuration;
  duration.min = 1;
  Diagnostics not_a_duration;
  if (const auto value = read_option(gap, duration, not_a_duration)) {
    spec.gap_ms = std::get<int64_t>(value->value);
    return;
  }
  // Anything else is an expression per row.
  spec.gap = bind_expression(context, gap, input_scope(context));
  reader.ok = reader.ok && spec.gap != nullptr;
  if (!spec.gap || spec.gap->type->kind == TypeKind::kIntervalMillis) return;
  auto millis = coerce_expression(spec.gap, make_type(TypeKind::kBigInt));
  if (spec.gap->type->is_integer() && millis) {
    spec.gap = *millis;
  } else {
    reader.fail(ErrorCode::kTypeMismatch, gap,
                fmt::format("`gap` is a duration, or an expression of INTERVAL or milliseconds; this is {}",
                            spec.gap->type->to_string()));
  }
}

/// A whole number of rows; 0 after reporting.
int64_t read_rows(SpecReader& reader, const Located& at, const char* name) {
  OptionDescriptor number;
  number.name = name;
  number.kind = OptionKind::kInteger;
  number.min = 1;
  const auto value = read_option(at, number, *reader.context.diagnostics);
  reader.ok = reader.ok && value;
  return value ? std::get<int64_t>(value->value) : 0;
}

void read_count(SpecReader& reader, WindowSpec& spec) {
  for (const char* name : {"step", "offset", "gap", "allowed_lateness", "emit_early_every", "trigger"}) {
    reader.refuse(name, ErrorCode::kUnknownField, "does not belong to count windows");
  }
  if (!reader.options.has("size")) {
    reader.fail(ErrorCode::kMissingField, reader.tree, "the window needs `size`");
    return;
  }
  spec.count_size = read_rows(reader, reader.options.located("size"), "size");
  spec.count_slide =
      reader.options.has("slide") ? read_rows(reader, reader.options.located("slide"), "slide") : spec.count_size;
}

/// `{every_rows: 100}`, `{every: 1m}`, `{any: [..]}`, `{all: [..]}`; several of them in one mapping: any.
WindowTrigger read_conditions(SpecReader& reader, const Located& tree, bool outermost) {
  WindowTrigger any;
  any.kind = WindowTrigger::Kind::kAny;
  static constexpr std::string_view kKnown[] = {"every_rows", "every", "any", "all", "purge"};
  for (const Located::Entry& entry : tree.entries) {
    WindowTrigger condition;
    if (entry.key == "every_rows") {
      condition.kind = WindowTrigger::Kind::kRows;
      condition.number = read_rows(reader, entry.value, "every_rows");
    } else if (entry.key == "every") {
      OptionDescriptor duration;
      duration.name = "every";
      duration.kind = OptionKind::kDuration;
      duration.min = 1;
      const auto value = read_option(entry.value, duration, *reader.context.diagnostics);
      reader.ok = reader.ok && value;
      condition.kind = WindowTrigger::Kind::kTime;
      if (value) condition.number = std::get<int64_t>(value->value);
    } else if (entry.key == "any" || entry.key == "all") {
      condition.kind = entry.key == "any" ? WindowTrigger::Kind::kAny : WindowTrigger::Kind::kAll;
      for (const Located& part : entry.value.items) condition.parts.push_back(read_conditions(reader, part, false));
      if (condition.parts.empty()) {
        reader.fail(ErrorCode::kWrongShape, entry.value,
                    fmt::format("`{}` needs a list such as `[{{every_rows: 100}}, {{every: 1m}}]`", entry.key));
      }
    } else {
      if (outermost && entry.key == "purge") continue;
      const std::span known(kKnown, outermost ? 5 : 4);
      report_unknown_field(entry.key, entry.key_position, "the trigger", known, *reader.context.diagnostics);
      reader.ok = false;
      continue;
    }
    any.parts.push_back(std::move(condition));
  }
  if (any.parts.size() != 1) {
    if (any.parts.empty() && reader.ok) {
      reader.fail(ErrorCode::kMissingField, tree, "the trigger has neither `every_rows` nor `every`");
    }
    return any;
  }
  WindowTrigger only = std::move(any.parts[0]);
  return only;
}

void read_trigger(SpecReader& reader, WindowSpec& spec, bool purge_default) {
  const Located& trigger = reader.options.located("trigger");
  if (trigger.kind != Located::Kind::kMap) {
    reader.fail(ErrorCode::kWrongShape, trigger, "a trigger is a mapping such as `{every_rows: 100}`");
    return;
  }
  spec.trigger = read_conditions(reader, trigger, true);
  spec.purge = purge_default;
  const Located* purge = trigger.find("purge");
  if (purge == nullptr) return;
  OptionDescriptor flag;
  flag.name = "purge";
  flag.kind = OptionKind::kBoolean;
  const auto value = read_option(*purge, flag, *reader.context.diagnostics);
  reader.ok = reader.ok && value;
  if (value) spec.purge = std::get<bool>(value->value);
}

/// A trigger of windows with an end: it fires instead of the end.
void read_own_trigger(SpecReader& reader, WindowSpec& spec) {
  if (!reader.options.has("trigger")) return;
  reader.refuse("emit_early_every", ErrorCode::kBadValue, "and `trigger` exclude each other");
  read_trigger(reader, spec, spec.purge);
}

void read_global(SpecReader& reader, WindowSpec& spec) {
  for (const char* name : {"size", "slide", "step", "offset", "gap", "allowed_lateness", "emit_early_every"}) {
    reader.refuse(name, ErrorCode::kUnknownField, "does not belong to global windows");
  }
  if (!reader.options.has("trigger")) {
    reader.fail(ErrorCode::kMissingField, reader.tree, "a global window needs a `trigger`");
    return;
  }
  read_trigger(reader, spec, true);
}

}  // namespace

std::optional<WindowSpec> bind_window_spec(const BindContext& context, const Located& tree, std::string& late_output) {
  const std::vector<OptionDescriptor> fields = window_spec_fields();
  const OptionValues options = read_options(tree, fields, "window", *context.diagnostics);
  if (!options.has("type")) return std::nullopt;
  SpecReader reader{context, options, tree};
  WindowSpec spec;
  const std::string type = options.text("type");
  spec.kind = type == "tumbling"     ? WindowKind::kTumbling
              : type == "sliding"    ? WindowKind::kSliding
              : type == "cumulating" ? WindowKind::kCumulating
              : type == "session"    ? WindowKind::kSession
              : type == "count"      ? WindowKind::kCount
                                     : WindowKind::kGlobal;
  spec.processing_time = options.text("time") == "processing";
  spec.allowed_lateness_ms = options.integer("allowed_lateness");
  spec.purge = !options.boolean("accumulate", true);
  late_output = options.has("late_output") ? options.text("late_output") : "late";
  if (options.has("emit_early_every")) spec.early_every_ms = reader.positive("emit_early_every");
  switch (spec.kind) {
    case WindowKind::kTumbling:
    case WindowKind::kSliding:
    case WindowKind::kCumulating:
      read_slices(reader, spec);
      read_own_trigger(reader, spec);
      break;
    case WindowKind::kSession:
      read_session(context, reader, spec);
      read_own_trigger(reader, spec);
      break;
    case WindowKind::kCount:
      read_count(reader, spec);
      break;
    case WindowKind::kGlobal:
      read_global(reader, spec);
      break;
  }
  if (!reader.ok) return std::nullopt;
  return spec;
}

namespace {

/// Keys and window bounds, which expressions over aggregates may name.
Scope result_scope(const BindContext& context, const Schema& prefix) {
  Scope scope = Scope::of(prefix);
  if (context.parameters != nullptr) scope.parameters = *context.parameters;
  return scope;
}

}  // namespace

bool bind_window_aggregates(const BindContext& context, const Located& aggregate, const Located& having,
                            WindowConfig& config) {
  const Scope input = input_scope(context);
  auto schema = std::make_shared<Schema>();
  bool ok = true;
  for (uint32_t key : config.keys) {
    const Field& field = config.input->fields[key];
    ok = add_output_field(context, *schema, field.name, field.type, aggregate.position) && ok;
  }
  // Count and global windows have no bounds in time.
  for (const char* name : {"window_start", "window_end"}) {
    if (!config.spec.has_bounds()) break;
    ok = add_output_field(context, *schema, name, make_temporal(TypeKind::kTimestamp, 3, false), aggregate.position) &&
         ok;
  }
  if (aggregate.kind != Located::Kind::kMap || aggregate.entries.empty()) {
    context.diagnostics->error(ErrorCode::kWrongShape, aggregate.position,
                               "aggregate: needs entries such as `total: SUM(amount)`");
    return false;
  }
  const Scope keys = result_scope(context, *schema);
  for (const Located::Entry& entry : aggregate.entries) {
    auto compiled = compile_aggregate(entry.value.text, input, keys, config.calls.size(), *context.functions);
    if (!compiled) {
      context.diagnostics->expression(entry.value, compiled.error());
      ok = false;
      continue;
    }
    ok = add_output_field(context, *schema, entry.key, compiled->result->type, entry.key_position) && ok;
    for (AggregateCall& call : compiled->calls) {
      call.output = entry.key;
      config.calls.push_back(std::move(call));
    }
    config.results.push_back(std::move(compiled->result));
  }
  config.result_calls = config.calls.size();
  config.output = schema;
  if (having.kind == Located::Kind::kNull || !ok) return ok;
  // `having` sees the output columns and may call aggregates of its own.
  auto compiled = compile_aggregate(having.text, input, result_scope(context, *schema), 0, *context.functions);
  if (!compiled) {
    context.diagnostics->expression(having, compiled.error());
    return false;
  }
  if (compiled->result->type->kind != TypeKind::kBoolean) {
    context.diagnostics->error(
        ErrorCode::kTypeMismatch, having.position,
        fmt::format("having: needs a condition, this is {}", compiled->result->type->to_string()),
        "compare it, for example with `> 10`");
    return false;
  }
  for (AggregateCall& call : compiled->calls) {
    call.output = "having";
    config.calls.push_back(std::move(call));
  }
  config.having = std::move(compiled->result);
  return true;
}

/// Columns of the input: keys, arguments and filters of all calls.
std::vector<uint32_t> window_reads(const WindowConfig& config) {
  std::vector<uint32_t> reads = read_columns(std::span(&config.spec.gap, 1));
  reads.insert(reads.end(), config.keys.begin(), config.keys.end());
  for (const AggregateCall& call : config.calls) {
    const std::vector<uint32_t> args = read_columns(call.args);
    const std::vector<uint32_t> filter = read_columns(std::span(&call.filter, 1));
    reads.insert(reads.end(), args.begin(), args.end());
    reads.insert(reads.end(), filter.begin(), filter.end());
  }
  return reads;
}

std::optional<BoundOperator> bind_window(const BindContext& context) {
  const OptionValues& options = *context.options;
  const BindInput& input = context.inputs[0];
  auto config = std::make_shared<WindowConfig>();
  config->input = input.schema;
  std::string late_output;
  const auto keys = bind_keys(context);
  const auto spec = bind_window_spec(context, options.located("window"), late_output);
  const bool append = require_append(context, "a window");
  if (keys) config->keys = *keys;
  for (uint32_t key : config->keys) config->key_types.push_back(input.schema->fields[key].type);
  if (spec) config->spec = *spec;
  const bool aggregates =
      bind_window_aggregates(context, options.located("aggregate"), options.located("having"), *config);
  if (!keys || !spec || !append || !aggregates) return std::nullopt;
  const Located& tree = options.located("window");
  BoundOperator bound;
  bound.states = window_states(*config);
  bound.outputs = {Port{"", config->output, Changelog::kAppend, {}},
                   Port{late_output, input.schema, Changelog::kAppend, {}}};
  bound.partitioning = {config->keys.empty() ? Partitioning::kGlobal : Partitioning::kHash};
  bound.key_columns = {config->keys};
  bound.reads.emplace().push_back(window_reads(*config));
  bound.delay_ms = config->spec.size_ms;
  bound.stateful = true;
  bound.single_subtask = config->keys.empty();
  bound.detail = fmt::format("{} window", tree.find("type")->text);
  bound.partial = bind_partial_sums(config);
  if (bound.partial) config->partials = bound.partial->partials;
  bound.config = std::move(config);
  return bound;
}

}  // namespace millrace
