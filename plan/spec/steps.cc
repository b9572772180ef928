#include "plan/spec/steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "plan/option_reader.h"
#include "plan/spec/endpoint.h"
#include "plan/spec/fields.h"

namespace millrace {

namespace {

/// Operators whose key stands in the step, without those that are a field of another one: in `window` + `aggregate` the
/// window is the operator.
std::vector<const OperatorDescriptor*> operators_in(const SpecContext& context, const Located& step) {
  std::vector<const OperatorDescriptor*> present;
  for (const Located::Entry& entry : step.entries) {
    auto found = context.registry.operators.find(entry.key);
    if (found != context.registry.operators.end()) present.push_back(&found->second);
  }
  auto part_of_another = [&](const OperatorDescriptor* one) {
    return std::ranges::any_of(present, [&](const OperatorDescriptor* other) {
      return other != one && std::ranges::find(other->fields, one->key, &OptionDescriptor::name) != other->fields.end();
    });
  };
  std::vector<const OperatorDescriptor*> chosen;
  for (const OperatorDescriptor* one : present) {
    if (!part_of_another(one)) chosen.push_back(one);
  }
  return chosen;
}

class StepReader {
 public:
  StepReader(SpecContext& context, const Located& step, size_t index)
      : context_(context), step_(step), id_(step_id(context, step, index)) {}

  void read() {
    node_.id = id_;
    const Located* id = step_.find("id");
    node_.position = id != nullptr ? id->position : step_.position;
    operator_ = find_operator();
    const bool ok = operator_ != nullptr ? read_with_operator() : read_without_operator();
    const uint32_t number = context_.add_node(std::move(node_), !ok);
    context_.reads[number] = std::move(reads_);
    context_.passes_through[number] = passes_through_;
    context_.partial[number] = std::move(partial_);
  }

 private:
  const OperatorDescriptor* find_operator() {
    if (step_.kind != Located::Kind::kMap) return nullptr;
    const std::vector<const OperatorDescriptor*> chosen = operators_in(context_, step_);
    if (chosen.size() == 1) return chosen[0];
    if (chosen.size() > 1) {
      context_.diagnostics.error(
          ErrorCode::kBadPlan, step_.position,
          fmt::format("a step has one operator; this one has `{}` and `{}`", chosen[0]->key, chosen[1]->key),
          "make two steps of it");
      return nullptr;
    }
    report_missing_operator();
    return nullptr;
  }

  void report_missing_operator() {
    std::vector<std::string_view> known;
    for (const auto& [key, one] : context_.registry.operators) known.push_back(key);
    for (const Located::Entry& entry : step_.entries) {
      if (std::ranges::find(step_fields(), entry.key, &OptionDescriptor::name) != step_fields().end()) continue;
      Located name;
      name.position = entry.key_position;
      name.text = entry.key;
      report_unknown_name(context_, ErrorCode::kUnknownField, "operator", name, known, future_operators());
      return;
    }
    std::string names;
    for (std::string_view one : known) names += (names.empty() ? "" : ", ") + std::string(one);
    context_.diagnostics.error(ErrorCode::kMissingField, step_.position, "the step has no operator",
                               "operators: " + names);
  }

  bool read_without_operator() {
    if (step_.kind != Located::Kind::kMap) {
      context_.diagnostics.error(ErrorCode::kWrongShape, step_.position,
                                 fmt::format("a step needs a mapping of fields, not {}", describe_kind(step_)));
      return false;
    }
    const OptionValues common =
        OptionReader(step_, fmt::format("step `{}`", id_), context_.diagnostics).read(step_fields());
    (void)find_inputs(common);
    return false;
  }

  bool read_with_operator() {
    node_.type = operator_->key;
    OptionReader reader(step_, fmt::format("step `{}`", id_), context_.diagnostics);
    OptionList common_fields = step_fields();
    std::erase_if(common_fields, [&](const OptionDescriptor& field) {
      return std::ranges::find(operator_->fields, field.name, &OptionDescriptor::name) != operator_->fields.end();
    });
    const size_t errors_before = context_.errors();
    const OptionValues common = reader.read(common_fields);
    const OptionValues options = reader.read(operator_->fields);
    const bool options_ok = context_.errors() == errors_before;
    reader.finish();
    check_parallelism(context_, common);
    const std::string on_error = common.text("on_error");
    node_.on_error = on_error == "skip"          ? OnError::kSkip
                     : on_error == "dead_letter" ? OnError::kDeadLetter
                                                 : OnError::kFail;
    read_was(common);
    const bool inputs_ok = find_inputs(common);
    if (!inputs_ok || !options_ok || !find_keys(common)) return false;
    return bind(common, options);
  }

  /// `was: old_id`, or `was: {step: old_id, names: {new: old}}`.
  void read_was(const OptionValues& common) {
    if (!common.has("was")) return;
    const Located& was = common.located("was");
    if (was.is_scalar()) {
      node_.was = was.text;
      return;
    }
    const OptionValues values = read_options(was, was_fields(), "`was`", context_.diagnostics);
    node_.was = values.text("step");
    for (const Located::Entry& entry : values.located("names").entries) {
      if (!entry.value.is_scalar()) {
        context_.diagnostics.error(
            ErrorCode::kWrongShape, entry.value.position,
            "`names` of `was` needs texts such as `{spent: total}`: the name now, the name then");
        continue;
      }
      node_.was_names[entry.key] = entry.value.text;
    }
  }

  // ---- inputs

  bool find_inputs(const OptionValues& common) {
    std::vector<const Located*> references;
    if (operator_ != nullptr && operator_->inputs) {
      references = operator_->inputs(step_);
      if (references.empty()) return false;  // the operator's own fields were wrong and are reported
    } else if (!written_inputs(common, references)) {
      return false;
    }
    if (references.empty()) return default_input();
    if (operator_ != nullptr && references.size() > operator_->inputs_max) {
      context_.diagnostics.error(
          ErrorCode::kBadPlan, references[operator_->inputs_max]->position,
          fmt::format("`{}` takes {}, not {}", operator_->key,
                      operator_->inputs_max == 1 ? "one input" : fmt::format("{} inputs", operator_->inputs_max),
                      references.size()),
          "join them with `union` first");
      return false;
    }
    bool ok = true;
    for (const Located* reference : references) {
      const std::optional<InputRef> input = resolve_input(context_, *reference);
      if (input) inputs_.push_back(*input);
      ok = ok && input && !input->broken;
    }
    return ok;
  }

  bool written_inputs(const OptionValues& common, std::vector<const Located*>& references) {
    const Located* one = step_.find("input");
    const Located* many = step_.find("inputs");
    if (one != nullptr && many != nullptr) {
      context_.diagnostics.error(ErrorCode::kBadPlan, many->position, "`input` and `inputs` exclude each other");
      return false;
    }
    if (one != nullptr) {
      if (!one->is_scalar()) return false;  // reported by the option reader
      references.push_back(one);
    }
    if (many != nullptr && common.get("inputs").set) {
      if (many->is_scalar()) references.push_back(many);
      for (const Located& item : many->items) references.push_back(&item);
    }
    return true;
  }

  bool default_input() {
    const std::vector<Node>& nodes = context_.graph.nodes;
    if (nodes.empty()) return false;
    const auto last = static_cast<uint32_t>(nodes.size()) - 1;
    if (nodes[last].kind == NodeKind::kSource && nodes.size() > 1) {
      std::string names;
      for (const Node& node : nodes) names += (names.empty() ? "`" : ", `") + node.id + "`";
      context_.diagnostics.error(ErrorCode::kMissingField, step_.position,
                                 fmt::format("step `{}` needs an `input`: the job has several sources", id_),
                                 "sources: " + names);
      return false;
    }
    inputs_.push_back({last, 0, context_.broken[last]});
    return !context_.broken[last];
  }

  // ---- keys

  bool find_keys(const OptionValues& common) {
    if (!std::ranges::any_of(step_.entries, [](const auto& entry) { return entry.key == "key_by"; })) {
      key_indexes_.resize(inputs_.size());
      return true;
    }
    if (std::ranges::find(operator_->fields, "key_by", &OptionDescriptor::name) != operator_->fields.end()) {
      key_indexes_.resize(inputs_.size());
      return true;
    }
    key_by_ = common.texts("key_by");
    const Located& written = common.located("key_by");
    if (key_by_.empty()) {
      context_.diagnostics.error(ErrorCode::kBadValue, written.position, "`key_by` needs at least one column");
      return false;
    }
    bool ok = true;
    for (const InputRef& input : inputs_) {
      const Schema& schema = *context_.graph.nodes[input.node].outputs[input.port].schema;
      std::vector<uint32_t> indexes;
      for (size_t i = 0; i < key_by_.size(); ++i) {
        const Located& place = written.is_scalar() ? written : written.items[i];
        const std::optional<size_t> column = schema.find(key_by_[i]);
        if (column) {
          indexes.push_back(static_cast<uint32_t>(*column));
        } else {
          report_unknown_column(place, input, schema);
          ok = false;
        }
      }
      key_indexes_.push_back(std::move(indexes));
    }
    return ok;
  }

  void report_unknown_column(const Located& place, const InputRef& input, const Schema& schema) {
    std::vector<std::string_view> known;
    for (const Field& field : schema.fields) known.push_back(field.name);
    const std::string near = nearest_name(place.text, known);
    Diagnostic diagnostic{Severity::kError,
                          ErrorCode::kUnknownColumn,
                          fmt::format("unknown column `{}`", place.text),
                          near.empty() ? "" : fmt::format("a column with a similar name exists: `{}`", near),
                          text_position(place),
                          text_length(place),
                          input_label(input)};
    context_.diagnostics.add(std::move(diagnostic));
  }

  [[nodiscard]] std::string input_label(const InputRef& input) const {
    const Node& from = context_.graph.nodes[input.node];
    const std::string& port = from.outputs[input.port].name;
    return fmt::format("no such column in the output of `{}{}{}`", from.id, port.empty() ? "" : ".", port);
  }

  // ---- binding

  bool bind(const OptionValues& common, const OptionValues& options) {
    BindContext bind_context;
    bind_context.step = id_;
    for (const InputRef& input : inputs_) {
      const Node& from = context_.graph.nodes[input.node];
      const Port& port = from.outputs[input.port];
      bind_context.inputs.push_back({from.id, port.schema, port.changelog, port.upsert_key});
    }
    bind_context.step_yaml = &step_;
    bind_context.options = &options;
    bind_context.key_by = key_by_;
    bind_context.functions = &context_.registry.functions;
    bind_context.settings = &context_.graph.settings;
    bind_context.diagnostics = &context_.diagnostics;
    bind_context.parameters = &context_.parameters;
    const size_t first = context_.diagnostics.all().size();
    std::optional<BoundOperator> bound = operator_->bind(bind_context);
    add_labels(first);
    if (!bound) return false;
    MR_CHECK(!bound->outputs.empty(), "the operator " + operator_->key + " was bound without a main output");
    if (bound->stateful && step_.find("id") == nullptr) {
      context_.diagnostics.error(ErrorCode::kMissingField, step_.position,
                                 "the step keeps state and needs an `id`: the address of its state in checkpoints",
                                 fmt::format("write `id: {}` or another name that stays", id_));
    }
    finish(common, std::move(*bound));
    return true;
  }

  void add_labels(size_t first) {
    if (inputs_.size() != 1) return;
    const Located* having = step_.find("having");  // reads the step's results, not its input
    for (Diagnostic& diagnostic : context_.diagnostics.since(first)) {
      if (having != nullptr && diagnostic.position.line == text_position(*having).line &&
          diagnostic.position.column >= text_position(*having).column) {
        continue;
      }
      if (diagnostic.label.empty() && diagnostic.message.starts_with("unknown column")) {
        diagnostic.label = input_label(inputs_[0]);
      }
    }
  }

  void finish(const OptionValues& common, BoundOperator bound) {
    node_.config = std::move(bound.config);
    node_.outputs = std::move(bound.outputs);
    if (node_.on_error == OnError::kDeadLetter) {
      node_.outputs.push_back({"dead_letter", step_dead_letter_schema(), Changelog::kAppend, {}});
    }
    node_.stateful = bound.stateful;
    node_.states = std::move(bound.states);
    node_.detail = std::move(bound.detail);
    node_.delay_ms = bound.delay_ms;
    reads_ = std::move(bound.reads);
    passes_through_ = bound.passes_through;
    partial_ = std::move(bound.partial);
    const auto written = static_cast<uint32_t>(common.integer("parallelism", 0));
    if (bound.single_subtask && written > 1) {
      const Located& place = common.located("parallelism");
      context_.diagnostics.error(ErrorCode::kBadPlan, text_position(place),
                                 fmt::format("step `{}` is global and runs in one subtask", id_),
                                 "add `key_by` or remove `parallelism`", text_length(place));
    }
    node_.parallelism = bound.single_subtask ? 1 : written != 0 ? written : context_.graph.settings.parallelism;
    for (size_t i = 0; i < inputs_.size(); ++i) node_.inputs.push_back(make_input(i, bound));
  }

  NodeInput make_input(size_t i, const BoundOperator& bound) {
    NodeInput input = forward_input(context_, inputs_[i], node_.parallelism);
    const Partitioning wanted = i < bound.partitioning.size() ? bound.partitioning[i] : Partitioning::kForward;
    if (wanted == Partitioning::kHash || (wanted == Partitioning::kForward && !key_by_.empty())) {
      input.partitioning = Partitioning::kHash;
      const bool own = i < bound.key_columns.size() && !bound.key_columns[i].empty();
      input.key_columns = own ? bound.key_columns[i] : key_indexes_[i];
    } else if (wanted != Partitioning::kForward) {
      input.partitioning = wanted;
      input.key_columns.clear();
    } else if (bound.single_subtask) {
      input.partitioning = Partitioning::kGlobal;
      input.key_columns.clear();
    }
    return input;
  }

  SpecContext& context_;
  const Located& step_;
  std::string id_;
  const OperatorDescriptor* operator_ = nullptr;
  Node node_;
  std::vector<InputRef> inputs_;
  std::vector<std::string> key_by_;
  std::vector<std::vector<uint32_t>> key_indexes_;  // per input
  std::optional<std::vector<std::vector<uint32_t>>> reads_;
  bool passes_through_ = false;
  std::optional<PartialStep> partial_;
};

}  // namespace

std::string step_id(const SpecContext& context, const Located& step, size_t index) {
  const Located* id = step.find("id");
  if (id != nullptr && id->is_scalar()) return id->text;
  const std::vector<const OperatorDescriptor*> chosen = operators_in(context, step);
  return fmt::format("{}_{}", chosen.empty() ? "step" : chosen[0]->key, index + 1);
}

NodeInput forward_input(const SpecContext& context, InputRef from, uint32_t parallelism) {
  NodeInput input{from.node, from.port, Partitioning::kForward, {}};
  const Node& node = context.graph.nodes[from.node];
  const Port& port = node.outputs[from.port];
  if (port.changelog != Changelog::kAppend && !port.upsert_key.empty() && node.parallelism != parallelism) {
    input.partitioning = Partitioning::kHash;
    input.key_columns = port.upsert_key;
  }
  return input;
}

void read_steps(SpecContext& context, const Located& steps) {
  for (size_t i = 0; i < steps.items.size(); ++i) StepReader(context, steps.items[i], i).read();
}

}  // namespace millrace
