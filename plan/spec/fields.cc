#include "plan/spec/fields.h"

#include <array>

namespace millrace {

const OptionList& job_fields() {
  static const OptionList fields{
      {.name = "version",
       .kind = OptionKind::kInteger,
       .required = true,
       .help = "Version of the job file's form.",
       .example = "1"},
      {.name = "name",
       .kind = OptionKind::kText,
       .required = true,
       .help = "Name of the job; its directory of checkpoints has the same name. Letters, digits, `.`, `_`, `-`.",
       .example = "fraud-alerts"},
      {.name = "params",
       .kind = OptionKind::kTree,
       .help =
           "Typed parameters: `$name` in expressions, `${params.name}` in texts, `--param name=value` on the command "
           "line.",
       .example = "{topic: {type: STRING, default: events}}"},
      {.name = "settings", .kind = OptionKind::kTree, .help = "How the job runs."},
      {.name = "sources",
       .kind = OptionKind::kTree,
       .required = true,
       .help = "What the job reads, by id.",
       .example = "{clicks: {type: datagen, …}}"},
      {.name = "steps", .kind = OptionKind::kTree, .help = "A list of operators; each reads the one above by default."},
      {.name = "sinks",
       .kind = OptionKind::kTree,
       .required = true,
       .help = "Where results go, by id.",
       .example = "{out: {type: print}}"},
      {.name = "tests", .kind = OptionKind::kTree, .help = "Examples of rows in and rows out; run by `millrace test`."},
  };
  return fields;
}

const OptionList& param_fields() {
  static const OptionList fields{
      {.name = "type",
       .kind = OptionKind::kText,
       .required = true,
       .help = "SQL type of the parameter.",
       .example = "STRING"},
      {.name = "default",
       .kind = OptionKind::kText,
       .help = "Value without `--param`; a parameter without a default must be given."},
      {.name = "help", .kind = OptionKind::kText, .help = "What the parameter is for."},
  };
  return fields;
}

const OptionList& settings_fields() {
  static const OptionList fields{
      {.name = "parallelism",
       .kind = OptionKind::kInteger,
       .default_text = "1",
       .min = 1,
       .max = 32768,
       .help = "Subtasks of every source and step that does not say otherwise."},
      {.name = "max_parallelism",
       .kind = OptionKind::kInteger,
       .default_text = "128",
       .min = 1,
       .max = 32768,
       .help = "Number of key groups; fixed for the life of the job's state."},
      {.name = "batch_rows",
       .kind = OptionKind::kInteger,
       .default_text = "4096",
       .min = 1,
       .max = 65536,
       .unit = "rows",
       .help = "Most rows in one batch."},
      {.name = "buffer_timeout",
       .kind = OptionKind::kDuration,
       .default_text = "5ms",
       .min = 0,
       .help = "How long rows may wait for a fuller batch before they are sent to another subtask."},
      {.name = "time_zone",
       .kind = OptionKind::kText,
       .default_text = "UTC",
       .help = "Time zone of expressions that take a TIMESTAMP_LTZ for a local time, or the other way round: casts, "
               "EXTRACT, DATE_FORMAT, FLOOR, LOCALTIMESTAMP, CURRENT_DATE, FROM_UNIXTIME …"},
      {.name = "checkpoint", .kind = OptionKind::kTree, .help = "Checkpoints: on by default in every way of running."},
      {.name = "state", .kind = OptionKind::kTree, .help = "Where keyed state lives."},
      {.name = "restart",
       .kind = OptionKind::kTree,
       .help = "What happens after a failure of the job itself. When a process was lost, the job starts again at "
               "once, and that is not counted."},
  };
  return fields;
}

const OptionList& checkpoint_fields() {
  static const OptionList fields{
      {.name = "interval",
       .kind = OptionKind::kDuration,
       .default_text = "10s",
       .min = 1,
       .help = "Time between checkpoints."},
      {.name = "mode",
       .kind = OptionKind::kChoice,
       .default_text = "exactly_once",
       .choices = {"exactly_once", "at_least_once"},
       .help = "at_least_once does not align barriers: less delay, and rows may count twice after a failure."},
      {.name = "dir",
       .kind = OptionKind::kText,
       .help = "Directory of all jobs' checkpoints, a path, file:///path or s3://bucket/prefix. Default: "
               "$XDG_STATE_HOME/millrace/checkpoints for `run`, the job manager's in a cluster."},
      {.name = "timeout",
       .kind = OptionKind::kDuration,
       .default_text = "10m",
       .min = 1,
       .help = "A checkpoint that takes longer is aborted."},
      {.name = "min_pause",
       .kind = OptionKind::kDuration,
       .default_text = "0s",
       .min = 0,
       .help = "Least time between the end of one checkpoint and the start of the next."},
      {.name = "tolerable_failures",
       .kind = OptionKind::kInteger,
       .default_text = "3",
       .min = 0,
       .max = 1'000'000,
       .help = "Failed checkpoints in a row before the job fails."},
      {.name = "retain",
       .kind = OptionKind::kInteger,
       .default_text = "3",
       .min = 1,
       .max = 1'000,
       .help = "Completed checkpoints to keep."},
      {.name = "unaligned_after",
       .kind = OptionKind::kDuration,
       .default_text = "never",
       .choices = {"never"},
       .min = 0,
       .help = "A checkpoint that takes longer goes on unaligned: barriers overtake waiting rows, which become part of "
               "it. 0s: all are. Savepoints, and what stop, rescale and upgrade take, are always aligned."},
  };
  return fields;
}

const OptionList& state_fields() {
  static const OptionList fields{
      {.name = "backend",
       .kind = OptionKind::kChoice,
       .default_text = "auto",
       .choices = {"auto", "memory", "rocksdb"},
       .help = "Where keyed state lives: auto begins in memory and moves to RocksDB on the local disk what does not "
               "fit; memory never does; rocksdb keeps a copy there from the first checkpoint on, which makes "
               "checkpoints incremental."},
      {.name = "limit",
       .kind = OptionKind::kBytes,
       .min = 1,
       .help = "Most state that the job may keep, as its checkpoints hold it. Status, doctor and metrics show when it "
               "will be reached at the growth of the last checkpoints.",
       .example = "20GB"},
      {.name = "on_limit",
       .kind = OptionKind::kChoice,
       .default_text = "fail",
       .choices = {"fail", "backpressure", "alert"},
       .help = "At the limit: the job fails (its last checkpoint stays); its sources pause until the state has become "
               "smaller; or only log, doctor and metrics say it."},
  };
  return fields;
}

namespace {

OptionDescriptor restart_strategy() {
  return {.name = "strategy",
          .kind = OptionKind::kChoice,
          .default_text = "exponential",
          .choices = {"none", "fixed", "failure_rate", "exponential"},
          .help =
              "none: a failure ends the job. fixed: `attempts` times after `delay`. failure_rate: at most `max` "
              "failures within `per`. exponential: for ever, with growing delays."};
}

OptionDescriptor restart_delay() {
  return {
      .name = "delay", .kind = OptionKind::kDuration, .default_text = "1s", .min = 0, .help = "Time before a restart."};
}

}  // namespace

const OptionList& restart_fields(std::string_view strategy) {
  static const OptionList none{restart_strategy()};
  static const OptionList fixed{restart_strategy(),
                                {.name = "attempts",
                                 .kind = OptionKind::kInteger,
                                 .default_text = "3",
                                 .min = 0,
                                 .max = 1'000'000'000,
                                 .help = "Restarts before the job fails for good."},
                                restart_delay()};
  static const OptionList failure_rate{
      restart_strategy(),
      {.name = "max",
       .kind = OptionKind::kInteger,
       .default_text = "3",
       .min = 0,
       .max = 1'000'000'000,
       .help = "Failures allowed within `per`."},
      {.name = "per", .kind = OptionKind::kDuration, .default_text = "1m", .min = 1, .help = "The measured time."},
      restart_delay()};
  static const OptionList exponential{
      restart_strategy(),
      {.name = "initial", .kind = OptionKind::kDuration, .default_text = "1s", .min = 1, .help = "First delay."},
      {.name = "max", .kind = OptionKind::kDuration, .default_text = "1m", .min = 1, .help = "Longest delay."},
      {.name = "multiplier",
       .kind = OptionKind::kNumber,
       .default_text = "2",
       .min = 1,
       .max = 1'000,
       .help = "Growth of the delay from failure to failure."},
      {.name = "jitter",
       .kind = OptionKind::kNumber,
       .default_text = "0.1",
       .min = 0,
       .max = 1,
       .help = "Random share of the delay."},
      {.name = "reset_after",
       .kind = OptionKind::kDuration,
       .default_text = "10m",
       .min = 0,
       .help = "Time without failure after which the first delay counts again."}};
  if (strategy == "none") return none;
  if (strategy == "fixed") return fixed;
  if (strategy == "failure_rate") return failure_rate;
  return exponential;
}

const OptionList& source_fields() {
  static const OptionList fields{
      {.name = "type", .kind = OptionKind::kText, .required = true, .help = "The connector.", .example = "kafka"},
      {.name = "schema",
       .kind = OptionKind::kTree,
       .required = true,
       .help = "Columns: `name: TYPE [NOT NULL] [FROM epoch_millis|epoch_seconds|iso8601|'pattern'] [FROM path a.b]`, "
               "`name: TYPE AS expression` or `name: TYPE METADATA field`.",
       .example = "{user_id: STRING, at: TIMESTAMP(3) FROM epoch_millis}"},
      {.name = "format",
       .kind = OptionKind::kTree,
       .help = "A format's name, or a mapping with `type` and its options.",
       .example = "{type: json, bad_record: dead_letter}"},
      {.name = "event_time",
       .kind = OptionKind::kTree,
       .help = "The event-time column and its watermark. Without it the record's own timestamp counts and there is no "
               "watermark.",
       .example = "{column: at, out_of_orderness: 5s}"},
      {.name = "parallelism",
       .kind = OptionKind::kInteger,
       .min = 1,
       .max = 32768,
       .help = "Subtasks; default `settings.parallelism`."},
      {.name = "rate_limit",
       .kind = OptionKind::kNumber,
       .min = 0,
       .unit = "rows per second",
       .help = "Most rows per second over all subtasks."},
      {.name = "discover_every",
       .kind = OptionKind::kDuration,
       .default_text = "5m",
       .choices = {"never"},
       .min = 1,
       .help = "How often new partitions or files are looked for."},
      {.name = "secrets",
       .kind = OptionKind::kTree,
       .help = "`field: name`: the field's value is the file `name` in $MILLRACE_SECRETS_DIR (/run/secrets), or the "
               "variable MILLRACE_SECRET_<NAME>.",
       .example = "{sasl_password: kafka}"},
  };
  return fields;
}

const OptionList& event_time_fields() {
  static const OptionList fields{
      {.name = "column",
       .kind = OptionKind::kText,
       .required = true,
       .help = "A TIMESTAMP or TIMESTAMP_LTZ column.",
       .example = "event_time"},
      {.name = "out_of_orderness",
       .kind = OptionKind::kDuration,
       .default_text = "0s",
       .min = 0,
       .help = "How late rows may be: watermark = highest time - this - 1 ms."},
      {.name = "idle_timeout",
       .kind = OptionKind::kDuration,
       .default_text = "off",
       .choices = {"off"},
       .min = 1,
       .help = "A partition without rows for this long no longer holds the watermark back."},
      {.name = "max_ahead",
       .kind = OptionKind::kDuration,
       .default_text = "off",
       .choices = {"off"},
       .min = 0,
       .help = "Rows further ahead of the wall clock never move the watermark and go to `<source>.ahead`."},
      {.name = "max_drift",
       .kind = OptionKind::kDuration,
       .default_text = "off",
       .choices = {"off"},
       .min = 0,
       .help = "Partitions (or files) that are further ahead than the slowest of all sources with `max_drift` wait; "
               "idle ones do not count."},
      {.name = "emit",
       .kind = OptionKind::kChoice,
       .default_text = "interval",
       .choices = {"interval", "batch", "record"},
       .help = "When watermarks are sent: every 200 ms, after every batch, or after every row (for comparisons)."},
  };
  return fields;
}

const OptionList& step_fields() {
  static const OptionList fields{
      {.name = "id",
       .kind = OptionKind::kText,
       .help = "Address of the step's state; required for steps that keep state.",
       .example = "per_user"},
      {.name = "input",
       .kind = OptionKind::kText,
       .help = "Id of a source or of a step above, or one of their side outputs `id.name`; default: the step above, or "
               "the only source."},
      {.name = "inputs", .kind = OptionKind::kTextList, .help = "Several inputs, for operators that take them."},
      {.name = "key_by",
       .kind = OptionKind::kTextList,
       .help = "Columns; rows with the same key meet in one subtask.",
       .example = "[user_id]"},
      {.name = "parallelism",
       .kind = OptionKind::kInteger,
       .min = 1,
       .max = 32768,
       .help = "Subtasks; default `settings.parallelism`."},
      {.name = "on_error",
       .kind = OptionKind::kChoice,
       .default_text = "fail",
       .choices = {"fail", "skip", "dead_letter"},
       .help = "What happens to a row whose expression fails; dead_letter sends it to `<step>.dead_letter`."},
      {.name = "was",
       .kind = OptionKind::kTree,
       .help = "The id under which older checkpoints hold the step's state; or `step:` with that id and `names:` with "
               "the former names of its columns, results and states.",
       .example = "{step: totals, names: {spent: total}}"},
  };
  return fields;
}

const OptionList& was_fields() {
  static const OptionList fields{
      {.name = "step", .kind = OptionKind::kText, .help = "The former id; without it the id stayed."},
      {.name = "names",
       .kind = OptionKind::kTree,
       .help = "The name now, the name in older checkpoints: of columns, results of aggregates, states of `process`."},
  };
  return fields;
}

const OptionList& sink_fields() {
  static const OptionList fields{
      {.name = "type", .kind = OptionKind::kText, .required = true, .help = "The connector.", .example = "print"},
      {.name = "input",
       .kind = OptionKind::kText,
       .help = "Id of a source or step, or a side output `id.name`; default: the last step."},
      {.name = "key", .kind = OptionKind::kTextList, .help = "Columns that identify a row.", .example = "[user_id]"},
      {.name = "format",
       .kind = OptionKind::kTree,
       .help = "A format's name, or a mapping with `type` and its options.",
       .example = "{type: json}"},
      {.name = "delivery",
       .kind = OptionKind::kChoice,
       .choices = {"none", "at_least_once", "exactly_once"},
       .help = "Default at_least_once, where the connector has it."},
      {.name = "on_error",
       .kind = OptionKind::kChoice,
       .default_text = "fail",
       .choices = {"fail", "dead_letter"},
       .help = "What happens to a row that the target refuses; dead_letter sends it to `<sink>.dead_letter`."},
      {.name = "parallelism",
       .kind = OptionKind::kInteger,
       .min = 1,
       .max = 32768,
       .help = "Subtasks; default that of its input, at most 4."},
      {.name = "secrets", .kind = OptionKind::kTree, .help = "As of sources.", .example = "{sasl_password: kafka}"},
  };
  return fields;
}

const OptionList& test_fields() {
  static const OptionList fields{
      {.name = "name",
       .kind = OptionKind::kText,
       .required = true,
       .help = "What the test shows.",
       .example = "eleven purchases raise an alert"},
      {.name = "given",
       .kind = OptionKind::kTree,
       .required = true,
       .help = "Rows per source, in order; entries that start with `$` are controls.",
       .example = "{clicks: [{user: a, n: 1}]}"},
      {.name = "expect",
       .kind = OptionKind::kTree,
       .required = true,
       .help = "Rows per step or sink; only the columns written are compared.",
       .example = "{filter_1: []}"},
      {.name = "ordered", .kind = OptionKind::kBoolean, .default_text = "false", .help = "The order of rows counts."},
      {.name = "exact", .kind = OptionKind::kBoolean, .default_text = "false", .help = "All columns count."},
  };
  return fields;
}

const OptionList& source_format_fields() {
  static const OptionList fields{
      {.name = "type", .kind = OptionKind::kText, .default_text = "json", .help = "The format."},
      {.name = "bad_record",
       .kind = OptionKind::kChoice,
       .default_text = "fail",
       .choices = {"fail", "skip", "dead_letter"},
       .help = "What happens to a record that cannot be read; dead_letter sends it to `<source>.dead_letter`."},
  };
  return fields;
}

const OptionList& sink_format_fields() {
  static const OptionList fields{
      {.name = "type", .kind = OptionKind::kText, .default_text = "json", .help = "The format."},
  };
  return fields;
}

std::span<const std::string_view> future_operators() {
  static constexpr std::array<std::string_view, 18> kNames{
      "filter", "map", "flat_map", "window",  "aggregate", "process", "sort",     "join",   "union",
      "dedup",  "top", "over",     "pattern", "broadcast", "sql",     "throttle", "sample", "print"};
  return kNames;
}

std::span<const std::string_view> future_connectors() {
  static constexpr std::array<std::string_view, 11> kNames{
      "kafka", "file", "datagen", "http", "socket", "postgres", "nexmark", "redis", "print", "blackhole", "collect"};
  return kNames;
}

std::span<const std::string_view> future_formats() {
  static constexpr std::array<std::string_view, 7> kNames{"json",     "csv",           "raw",    "avro",
                                                          "protobuf", "debezium-json", "parquet"};
  return kNames;
}

}  // namespace millrace
