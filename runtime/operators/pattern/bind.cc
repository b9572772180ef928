#include "runtime/operators/pattern/bind.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/expr/ast.h"
#include "plan/expr/lexer.h"
#include "plan/option_reader.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/pattern/config.h"
#include "runtime/operators/pattern/match_syntax.h"
#include "runtime/operators/state_fields.h"

namespace millrace {

std::vector<OptionDescriptor> pattern_fields() {
  const auto field = [](std::string name, OptionKind kind, bool required, std::string help) {
    OptionDescriptor made;
    made.name = std::move(name);
    made.kind = kind;
    made.required = required;
    made.help = std::move(help);
    return made;
  };
  return {field("match", OptionKind::kText, true,
                "Variables in a row, groups `(A B)` and alternatives `A | B`, each with `*`, `+`, `?`, `{n}`, `{n,}`, "
                "`{n,m}`; a `?` behind it takes as few as possible. Of several ways the one that is complete first "
                "counts."),
          field("define", OptionKind::kTree, false, "`variable: condition`; one without a condition takes every row."),
          field("measures", OptionKind::kTree, true, "`name: expression`: one output row per match, behind the keys."),
          field("within", OptionKind::kDuration, false, "The last row comes less than this after the first."),
          field("after_match", OptionKind::kText, false,
                "`skip past last row` (default), `skip to next row`, `skip to first X`, `skip to last X`.")};
}

namespace {

class PatternBinder {
 public:
  explicit PatternBinder(const BindContext& context)
      : context_(context),
        tree_(context.options->located("pattern")),
        options_(read_options(tree_, pattern_fields(), "`pattern`", *context.diagnostics)),
        scope_(input_scope(context)) {}

  std::optional<BoundOperator> bind() {
    const auto keys = bind_keys(context_);
    if (!require_append(context_, "pattern") || !keys || !options_.has("match") || !options_.has("measures")) {
      return std::nullopt;
    }
    config_->input = context_.inputs[0].schema;
    config_->keys = *keys;
    for (const uint32_t key : *keys) config_->key_types.push_back(config_->input->fields[key].type);
    config_->within_ms = options_.integer("within");
    read_match(options_.located("match"));
    if (ok_ && options_.has("define")) bind_define(options_.located("define"));
    if (ok_ && options_.has("after_match")) read_after_match(options_.located("after_match"));
    if (ok_) bind_measures(options_.located("measures"));
    if (!ok_) return std::nullopt;
    return bound();
  }

 private:
  void fail(ErrorCode code, const Located& at, std::string message, std::string help = {}) {
    context_.diagnostics->error(code, at.position, std::move(message), std::move(help));
    ok_ = false;
  }

  // match -----------------------------------------------------------------------------------------------------------

  void read_match(const Located& at) {
    auto syntax = read_match_syntax(at.text);
    if (!syntax) return fail(syntax.error().code, at, syntax.error().message, syntax.error().help);
    config_->variables = std::move(syntax->variables);
    config_->program = std::move(syntax->program);
    config_->begin = syntax->begin;
    config_->forks = std::ranges::any_of(config_->program,
                                         [](const PatternStep& step) { return step.kind == PatternStep::Kind::kFork; });
  }

  [[nodiscard]] int32_t find_variable(std::string_view name) const {
    for (size_t i = 0; i < config_->variables.size(); ++i) {
      if (config_->variables[i].name == name) return static_cast<int32_t>(i);
    }
    return -1;
  }

  void read_after_match(const Located& at) {
    const std::string upper = to_upper_ascii(at.text);
    for (const auto& [words, after] : {std::pair{"SKIP PAST LAST ROW", AfterMatch::kPastLastRow},
                                       std::pair{"SKIP TO NEXT ROW", AfterMatch::kNextRow}}) {
      if (upper != words) continue;
      config_->after = after;
      return;
    }
    for (const auto& [words, after] : {std::pair{std::string_view("SKIP TO FIRST "), AfterMatch::kFirst},
                                       std::pair{std::string_view("SKIP TO LAST "), AfterMatch::kLast},
                                       std::pair{std::string_view("SKIP TO "), AfterMatch::kLast}}) {
      if (!upper.starts_with(words)) continue;
      const int32_t variable = find_variable(at.text.substr(words.size()));
      if (variable < 0) break;
      config_->after = after;
      config_->after_variable = static_cast<uint32_t>(variable);
      return;
    }
    fail(ErrorCode::kBadValue, at, fmt::format("`{}` is no way to go on after a match", at.text),
         "`skip past last row`, `skip to next row`, `skip to first X` or `skip to last X`");
  }

  // Expressions -----------------------------------------------------------------------------------------------------

  void bind_define(const Located& define) {
    for (const Located::Entry& entry : define.entries) {
      const int32_t variable = find_variable(entry.key);
      if (variable < 0) {
        context_.diagnostics->error(ErrorCode::kUnknownColumn, entry.key_position,
                                    fmt::format("`match` has no variable `{}`", entry.key));
        ok_ = false;
        continue;
      }
      auto condition = bind_over_match(entry.value);
      if (!condition) continue;
      if (condition->result->type->kind != TypeKind::kBoolean) {
        fail(ErrorCode::kTypeMismatch, entry.value,
             fmt::format("a condition is needed, this is {}", condition->result->type->to_string()));
        continue;
      }
      config_->variables[static_cast<size_t>(variable)].condition = static_cast<int32_t>(config_->expressions.size());
      config_->expressions.push_back(std::move(*condition));
    }
  }

  void bind_measures(const Located& measures) {
    auto schema = std::make_shared<Schema>();
    for (const uint32_t key : config_->keys) schema->fields.push_back(config_->input->fields[key]);
    for (const Located::Entry& entry : measures.entries) {
      auto measure = bind_over_match(entry.value);
      if (!measure) continue;
      ok_ = add_output_field(context_, *schema, entry.key, measure->result->type, entry.key_position) && ok_;
      config_->measures.push_back(std::move(*measure));
    }
    config_->output = schema;
  }

  /// Replaces every reference by a column of its own and compiles the rest over these.
  std::optional<PatternExpression> bind_over_match(const Located& text) {
    const auto ast = parse_expression(text.text);
    if (!ast) {
      context_.diagnostics->expression(text, ast.error());
      ok_ = false;
      return std::nullopt;
    }
    PatternExpression expression;
    Scope references;
    references.parameters = scope_.parameters;
    std::string rest;
    size_t copied = 0;
    const bool found = collect(text, **ast, [&](const Ast& part) {
      PatternReference reference;
      const TypePtr type = bind_reference(text, part, reference);
      if (!type) return false;
      const std::string name = fmt::format("__reference_{}", expression.references.size());
      rest += text.text.substr(copied, part.begin - copied) + name;
      copied = part.end;
      references.columns.push_back({"", name, type});
      expression.references.push_back(std::move(reference));
      return true;
    });
    if (!found) {
      ok_ = false;
      return std::nullopt;
    }
    Located remaining = text;
    remaining.mapping = Located::Mapping::kNone;
    remaining.text = rest + text.text.substr(copied);
    expression.result = bind_expression(context_, remaining, references);
    ok_ = ok_ && expression.result != nullptr;
    if (!expression.result) return std::nullopt;
    return expression;
  }

  /// Calls visit for the outermost references from left to right.
  template <class F>
  bool collect(const Located& text, const Ast& ast, F&& visit) {
    if (is_reference(ast)) return visit(ast);
    std::vector<const Ast*> parts;
    for (const AstPtr& arg : ast.args) {
      if (arg) parts.push_back(arg.get());
    }
    std::ranges::sort(parts, {}, [](const Ast* part) { return part->begin; });
    return std::ranges::all_of(parts, [&](const Ast* part) { return collect(text, *part, visit); });
  }

  [[nodiscard]] bool is_reference(const Ast& ast) const {
    if (ast.kind == AstKind::kName) return true;
    if (ast.kind != AstKind::kCall) return false;
    return ast.name == "FIRST" || ast.name == "LAST" || context_.functions->find_aggregate(ast.name) != nullptr;
  }

  /// The type of the reference; null after reporting.
  TypePtr bind_reference(const Located& text, const Ast& part, PatternReference& reference) {
    const bool navigation = part.kind == AstKind::kCall && (part.name == "FIRST" || part.name == "LAST");
    const Ast* value = &part;
    if (navigation) {
      if (part.args.empty() || part.args.size() > 2) {
        fail(ErrorCode::kTypeMismatch, text, part.name + " takes a value and perhaps an offset");
        return nullptr;
      }
      value = part.args[0].get();
      if (part.args.size() == 2) {
        const auto* offset = std::get_if<int64_t>(&part.args[1]->literal);
        if (part.args[1]->kind != AstKind::kLiteral || offset == nullptr || *offset < 0 || *offset > 100'000) {
          fail(ErrorCode::kTypeMismatch, text, "the offset of " + part.name + " is a number");
          return nullptr;
        }
        reference.offset = static_cast<uint32_t>(*offset);
      }
      reference.kind = part.name == "FIRST" ? PatternReference::Kind::kFirst : PatternReference::Kind::kLast;
    }
    Located plain = text;
    plain.mapping = Located::Mapping::kNone;
    plain.text = without_variable(text, *value, reference.variable);
    if (part.kind == AstKind::kCall && !navigation) {
      reference.kind = PatternReference::Kind::kAggregate;
      auto compiled = compile_aggregate(plain.text, scope_, Scope{}, 0, *context_.functions);
      if (!compiled) {
        context_.diagnostics->expression(plain, compiled.error());
        return nullptr;
      }
      reference.call = std::move(compiled->calls.at(0));
      return reference.call.type;
    }
    reference.value = bind_expression(context_, plain, scope_);
    return reference.value ? with_nullable(reference.value->type, true) : nullptr;
  }

  /// The text of `part` without `X.`; the variable X in `variable`.
  std::string without_variable(const Located& text, const Ast& part, int32_t& variable) {
    const std::string source = text.text.substr(part.begin, part.end - part.begin);
    const auto tokens = tokenize_expression(source);
    std::string plain;
    size_t copied = 0;
    for (size_t i = 0; tokens && i + 1 < tokens->size(); ++i) {
      const Token& token = (*tokens)[i];
      const bool word = token.kind == TokenKind::kWord || token.kind == TokenKind::kQuotedWord;
      const bool behind_dot = i > 0 && (*tokens)[i - 1].is_symbol(".");
      const int32_t named = word && !behind_dot ? find_variable(token.text) : -1;
      if (named < 0 || !(*tokens)[i + 1].is_symbol(".")) continue;
      if (variable >= 0 && variable != named) {
        fail(ErrorCode::kNotSupportedYet, text, "a function over the rows of two variables is not supported");
      }
      variable = named;
      plain += source.substr(copied, token.begin - copied);
      copied = (*tokens)[i + 1].end;
    }
    return plain + source.substr(copied);
  }

  std::vector<StateSchema> states() const {
    StateSchema state;
    state.name = "pattern";
    state.form = "pattern";
    state.rules = {{"match", config_->text}};
    state.key = {key_field(*config_->input, config_->keys)};
    const StateField row = row_field("row", *config_->input);
    const StateField time = state_field("time", StateForm::kTime);
    const std::vector<StateField> match = {
        state_field("count", StateForm::kUint32),
        list_field("steps", {state_field("at", StateForm::kUint32), state_field("row", StateForm::kUint64)})};
    state.value = {state_field("next_row", StateForm::kUint64),
                   list_field("waiting", {time, list_field("rows", {row})}),
                   list_field("rows", {state_field("number", StateForm::kUint64), time, row}),
                   list_field("open", match), list_field("complete", match)};
    return {std::move(state), progress_schema("pattern_progress")};
  }

  std::optional<BoundOperator> bound() {
    BoundOperator bound;
    config_->text = options_.text("match");
    bound.states = states();
    bound.outputs = {Port{"", config_->output, Changelog::kAppend, {}},
                     Port{"late", config_->input, Changelog::kAppend, {}}};
    bound.partitioning = {config_->keys.empty() ? Partitioning::kGlobal : Partitioning::kHash};
    bound.key_columns = {config_->keys};
    bound.stateful = true;
    bound.single_subtask = config_->keys.empty();
    bound.delay_ms = config_->within_ms;
    bound.detail = config_->text;
    bound.config = config_;
    return bound;
  }

  const BindContext& context_;
  const Located& tree_;
  OptionValues options_;
  Scope scope_;
  std::shared_ptr<PatternConfig> config_ = std::make_shared<PatternConfig>();
  bool ok_ = true;
};

}  // namespace

std::optional<BoundOperator> bind_pattern(const BindContext& context) { return PatternBinder(context).bind(); }

}  // namespace millrace
