// What the planner knows of connectors, formats and operators: plain descriptions, filled at start by register_<name>()
// of each folder (an explicit list in cli/wiring.cc, because linkers drop self-registering statics). The factories that
// run them are in runtime/spi/factories.h; both faces are registered by the same function.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/diagnostic.h"
#include "plan/expr/function_registry.h"
#include "plan/job_graph.h"
#include "plan/options.h"

namespace millrace {

/// A source or sink connector's description.
struct ConnectorDescriptor {
  std::string name{};
  std::string help{};
  std::vector<OptionDescriptor> options{};  // without the ones every source or sink has
  bool uses_format = true;
  std::vector<std::string> metadata_columns{};               // sources
  std::vector<Delivery> deliveries{Delivery::kAtLeastOnce};  // sinks
  bool accepts_updates = false;                              // sinks: any updating stream (as lines with op)
  bool needs_key_for_updates = false;                        // sinks: updating streams need `key:`
  bool single_subtask = false;                               // parallelism 1 unless the options say otherwise
  /// Checks beyond single options; sources also decide whether they are bounded. May be empty.
  std::function<void(const OptionValues&, SourceConfig&, Diagnostics&)> check_source{};
  std::function<void(const OptionValues&, SinkConfig&, Diagnostics&)> check_sink{};
  /// `validate --connect`: asks the outside system whether the job could start (brokers, topics, tables). May be empty.
  std::function<Status(const OptionValues&)> connect{};
};

struct FormatDescriptor {
  std::string name{};
  std::string help{};
  std::vector<OptionDescriptor> options{};
  bool can_decode = true;
  bool can_encode = true;
};

/// What bind() of an operator sees.
struct BindInput {
  std::string name;  // step or source id
  SchemaPtr schema;
  Changelog changelog = Changelog::kAppend;
  std::vector<uint32_t> upsert_key;
};
struct BindContext {
  std::string step;
  std::vector<BindInput> inputs;
  const Located* step_yaml = nullptr;     // the whole step entry
  const OptionValues* options = nullptr;  // the operator's own fields, validated
  std::vector<std::string> key_by;        // column names, known to exist in every input; empty without key_by
  const FunctionRegistry* functions = nullptr;
  const JobSettings* settings = nullptr;
  Diagnostics* diagnostics = nullptr;
  const std::vector<Scope::Parameter>* parameters = nullptr;  // $name in expressions; may be null

  /// Columns of one input and the job's parameters: what every expression of the step is checked against.
  [[nodiscard]] Scope scope(size_t input = 0) const;
};
/// A step of the planner's own that may stand in front of a step's exchange: an operator `type` with the step's config
/// that turns some of its rows into partial ones. They go to input 1 of the step, the rows that stay to input 0.
struct PartialStep {
  std::string type{};
  SchemaPtr rows{};
  SchemaPtr partials{};
  std::vector<uint32_t> key_columns{};  // of the partial rows
};
struct BoundOperator {
  std::shared_ptr<const OperatorConfig> config{};
  std::vector<Port> outputs{};                       // [0] = main; side outputs behind it
  std::vector<Partitioning> partitioning{};          // per input
  std::vector<std::vector<uint32_t>> key_columns{};  // per input, for kHash
  bool stateful = false;
  std::vector<StateSchema> states{};  // what it keeps: one per state of its snapshots
  bool single_subtask = false;        // global operators
  std::string detail{};
  /// What the step reads, so that sources decode nothing else: per input, the columns that are read whatever is
  /// consumed. Without it every column counts as read.
  std::optional<std::vector<std::vector<uint32_t>>> reads{};
  bool passes_through = false;  // column i of port 0 (and of "late") is column i of the input: filter, union, sort
  int64_t delay_ms = 0;         // how long a row waits here, in event time (a window's size); shown by `plan`
  std::optional<PartialStep> partial{};
};

/// An operator is chosen by the key of the step that names it (`filter`, `window`, `aggregate` …).
struct OperatorDescriptor {
  std::string key{};                       // the distinguishing field
  std::vector<OptionDescriptor> fields{};  // all step fields that belong to it, `key` among them
  uint32_t inputs_max = 1;
  std::string help{};
  /// Operators that name their inputs in their own fields (union: the list, join: left and right) return those texts;
  /// empty: `input` or `inputs`.
  std::function<std::vector<const Located*>(const Located& step)> inputs{};
  /// Reports mistakes to context.diagnostics and answers nullopt then.
  std::function<std::optional<BoundOperator>(const BindContext&)> bind{};
};

class PlanRegistry {
 public:
  FunctionRegistry functions;
  std::map<std::string, ConnectorDescriptor, std::less<>> sources;
  std::map<std::string, ConnectorDescriptor, std::less<>> sinks;
  std::map<std::string, FormatDescriptor, std::less<>> formats;
  std::map<std::string, OperatorDescriptor, std::less<>> operators;
};

}  // namespace millrace
