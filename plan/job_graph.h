// The logical job: nodes (sources, operators, sinks) and edges between their ports, everything typed and bound. Made by
// plan/planner.h from a JobSpec; immutable afterwards and shared by all tasks of a process. Every process plans the
// same resolved file to the same graph, so deployment carries the file and never code.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/types.h"
#include "plan/expr/expression.h"
#include "plan/options.h"
#include "plan/state_schema.h"

namespace millrace {

enum class Changelog : uint8_t { kAppend, kUpsert, kRetract };
enum class Partitioning : uint8_t {
  kForward,    // subtask i to subtask i (rebalanced when the parallelism differs)
  kHash,       // by key columns
  kGlobal,     // all to subtask 0
  kBroadcast,  // all to all
  kRebalance,
};

/// A named output of a node: "" = main, else "late", "dead_letter", "ahead" or a user's side output.
struct Port {
  std::string name;
  SchemaPtr schema;
  Changelog changelog = Changelog::kAppend;
  std::vector<uint32_t> upsert_key;  // columns that identify a row of an updating stream
};

enum class NodeKind : uint8_t { kSource, kOperator, kSink };
enum class OnError : uint8_t { kFail, kSkip, kDeadLetter };
enum class Delivery : uint8_t { kNone, kAtLeastOnce, kExactlyOnce };
enum class WatermarkEmit : uint8_t { kInterval, kBatch, kRecord };

/// A column of a source after binding.
struct SourceColumn {
  enum class Kind : uint8_t { kPhysical, kComputed, kMetadata };
  std::string name;
  TypePtr type;
  Kind kind = Kind::kPhysical;
  std::vector<std::string> path;  // kPhysical
  std::string time_format;        // kPhysical: FROM …
  TypedExprPtr computed;          // kComputed; its scope is all columns of the source
  std::string metadata;           // kMetadata: topic, partition, offset, timestamp, key, headers, path, line
  bool used = true;               // some step, sink or the event time reads it; others are not decoded
  std::string generator;          // datagen: text behind the type, such as SEQUENCE(1, 1000)
  Position position;              // of its name
};

struct EventTimeConfig {
  int32_t column = -1;  // index in columns; -1: the record's timestamp and no watermark
  int64_t out_of_orderness_ms = 0;
  int64_t idle_timeout_ms = -1;  // -1: off
  int64_t max_ahead_ms = -1;
  int64_t max_drift_ms = -1;
  WatermarkEmit emit = WatermarkEmit::kInterval;
  int64_t emit_interval_ms = 200;
};

struct FormatConfig {
  std::string name;  // "json"; empty for typed sources
  OptionValues options;
  OnError bad_record = OnError::kFail;
};

struct SourceConfig {
  std::string connector;
  OptionValues options;
  FormatConfig format;
  std::vector<SourceColumn> columns;  // the node's main schema, in order (unused columns included)
  EventTimeConfig event_time;
  bool bounded = false;
  uint32_t subtasks_max = 0;  // set by check_source when only so many subtasks make sense; 0: any
  int64_t discover_every_ms = 300'000;
  double rate_limit = 0;  // rows per second over all subtasks; 0: none
};

struct SinkConfig {
  std::string connector;
  OptionValues options;
  FormatConfig format;
  SchemaPtr schema;  // of its input
  Changelog changelog = Changelog::kAppend;
  std::vector<uint32_t> key;  // columns
  Delivery delivery = Delivery::kAtLeastOnce;
  OnError on_error = OnError::kFail;
  uint32_t subtasks_max = 0;  // set by check_sink when only so many subtasks are possible (one file: 1); 0: any
  bool cuts_back = false;     // set by check_sink: exactly once by cutting output back on restore, without commits
  std::vector<StateSchema> states;  // set by check_sink: what the sink keeps when it does not settle epochs
  /// Epochs are published after their checkpoint, and the job waits for that.
  [[nodiscard]] bool settles_epochs() const { return delivery == Delivery::kExactlyOnce && !cuts_back; }
};

/// What an operator's bind() prepared for its factory; each operator derives its own.
struct OperatorConfig {
  virtual ~OperatorConfig() = default;
};

struct NodeInput {
  uint32_t node = 0;
  uint32_t port = 0;
  Partitioning partitioning = Partitioning::kForward;
  std::vector<uint32_t> key_columns;  // kHash: columns of the input schema
};

struct Node {
  NodeKind kind = NodeKind::kOperator;
  std::string id;
  std::string type;  // connector name or operator key ("filter")
  std::vector<NodeInput> inputs;
  std::vector<Port> outputs;  // sinks: the dead-letter port, when on_error asks for it
  uint32_t parallelism = 1;
  bool stateful = false;
  OnError on_error = OnError::kFail;
  std::string detail;                            // one line for `plan`
  std::string was;                               // the id under which older checkpoints hold this step's state
  std::map<std::string, std::string> was_names;  // columns, results and states: name -> its name in older checkpoints
  std::vector<StateSchema> states;               // what it keeps
  int64_t delay_ms = 0;                          // event time that a row waits here (a window's size)
  Position position;
  std::shared_ptr<const SourceConfig> source;
  std::shared_ptr<const SinkConfig> sink;
  std::shared_ptr<const OperatorConfig> config;
};

struct CheckpointSettings {
  int64_t interval_ms = 10'000;
  bool exactly_once = true;
  std::string directory;  // holds one directory per job; empty: the default of whoever runs the job
  int64_t timeout_ms = 600'000;
  int64_t min_pause_ms = 0;
  int64_t tolerable_failures = 3;
  int64_t retain = 3;
  int64_t unaligned_after_ms = -1;  // -1: barriers never overtake rows
};

struct RestartSettings {
  enum class Strategy : uint8_t { kNone, kFixed, kFailureRate, kExponential };
  Strategy strategy = Strategy::kExponential;
  int64_t attempts = 3;
  int64_t delay_ms = 1'000;
  int64_t rate_max = 3;
  int64_t rate_per_ms = 60'000;
  int64_t initial_ms = 1'000;
  int64_t max_ms = 60'000;
  double multiplier = 2;
  double jitter = 0.1;
  int64_t reset_after_ms = 600'000;
};

enum class OnStateLimit : uint8_t { kAlert, kFail, kBackpressure };

struct StateSettings {
  int64_t limit_bytes = 0;  // of a checkpoint's rows; 0: none
  OnStateLimit on_limit = OnStateLimit::kAlert;
};
enum class StateBackend : uint8_t { kMemory, kAuto, kRocksdb };

struct JobSettings {
  uint32_t parallelism = 1;
  uint32_t max_parallelism = 128;
  uint32_t batch_rows = 4096;
  int64_t buffer_timeout_ms = 5;
  CheckpointSettings checkpoint;
  RestartSettings restart;
  StateSettings state;
  StateBackend state_backend = StateBackend::kAuto;
};

struct JobGraph {
  std::string name;
  JobSettings settings;
  std::vector<Node> nodes;  // sources first, then steps in file order, then sinks: a topological order

  [[nodiscard]] const Node* find(std::string_view id) const;
};

/// Columns of dead letters (job-spec.md §6): of sources, and of steps and sinks.
SchemaPtr source_dead_letter_schema();
SchemaPtr step_dead_letter_schema();

}  // namespace millrace
