#include "plan/spec/settings.h"

#include <fmt/format.h>

#include "core/file_system.h"
#include "core/s3/uri.h"
#include "plan/expr/function_registry.h"
#include "plan/option_reader.h"
#include "plan/spec/fields.h"

namespace millrace {

namespace {

void not_supported(SpecContext& context, const Located& value, std::string message) {
  context.diagnostics.error(ErrorCode::kNotSupportedYet, text_position(value), std::move(message), {},
                            text_length(value));
}

std::string directory_path(const std::string& text) {
  constexpr std::string_view kFileScheme = "file://";
  return text.starts_with(kFileScheme) ? text.substr(kFileScheme.size()) : text;
}

void read_checkpoint(SpecContext& context, const Located& map) {
  const OptionValues values = read_options(map, checkpoint_fields(), "settings.checkpoint", context.diagnostics);
  CheckpointSettings& out = context.graph.settings.checkpoint;
  out.interval_ms = values.integer("interval");
  out.exactly_once = values.text("mode") == "exactly_once";
  out.directory = directory_path(values.text("dir"));
  out.timeout_ms = values.integer("timeout");
  out.min_pause_ms = values.integer("min_pause");
  out.tolerable_failures = values.integer("tolerable_failures");
  out.retain = values.integer("retain");
  if (is_object_path(out.directory)) {
    const auto parsed = parse_s3_path(out.directory);
    const Located& written = values.located("dir");
    if (!parsed) {
      context.diagnostics.error(parsed.error().code, text_position(written), parsed.error().message,
                                parsed.error().help, text_length(written));
    }
  } else if (out.directory.find("://") != std::string::npos) {
    not_supported(context, values.located("dir"),
                  "checkpoints lie in a directory or on S3 (s3://bucket/prefix); other places are not supported");
  }
  out.unaligned_after_ms = values.integer("unaligned_after");
  if (out.unaligned_after_ms >= 0 && !out.exactly_once) {
    const Located& at = values.located("unaligned_after");
    context.diagnostics.error(ErrorCode::kBadPlan, text_position(at),
                              "`unaligned_after` needs `mode: exactly_once`: at_least_once does not align barriers", {},
                              text_length(at));
  }
}

void read_state(SpecContext& context, const Located& map) {
  const OptionValues values = read_options(map, state_fields(), "settings.state", context.diagnostics);
  StateSettings& out = context.graph.settings.state;
  out.limit_bytes = values.integer("limit");
  const std::string on_limit = values.text("on_limit");
  out.on_limit = on_limit == "alert"          ? OnStateLimit::kAlert
                 : on_limit == "backpressure" ? OnStateLimit::kBackpressure
                                              : OnStateLimit::kFail;
  const std::string backend = values.text("backend");
  context.graph.settings.state_backend = backend == "rocksdb"  ? StateBackend::kRocksdb
                                         : backend == "memory" ? StateBackend::kMemory
                                                               : StateBackend::kAuto;
}

RestartSettings::Strategy restart_strategy_of(std::string_view name) {
  if (name == "none") return RestartSettings::Strategy::kNone;
  if (name == "fixed") return RestartSettings::Strategy::kFixed;
  if (name == "failure_rate") return RestartSettings::Strategy::kFailureRate;
  return RestartSettings::Strategy::kExponential;
}

void read_restart(SpecContext& context, const Located& value) {
  Located map = value;
  if (value.is_scalar()) {  // `restart: none`
    map = Located{};
    map.kind = Located::Kind::kMap;
    map.position = value.position;
    map.entries.push_back({"strategy", value.position, value});
  }
  const Located* name = map.find("strategy");
  const std::string strategy = name != nullptr && name->is_scalar() ? name->text : "exponential";
  const OptionValues values = read_options(
      map, restart_fields(strategy), fmt::format("settings.restart (strategy {})", strategy), context.diagnostics);
  RestartSettings& out = context.graph.settings.restart;
  out.strategy = restart_strategy_of(strategy);
  switch (out.strategy) {
    case RestartSettings::Strategy::kNone:
      break;
    case RestartSettings::Strategy::kFixed:
      out.attempts = values.integer("attempts");
      out.delay_ms = values.integer("delay");
      break;
    case RestartSettings::Strategy::kFailureRate:
      out.rate_max = values.integer("max");
      out.rate_per_ms = values.integer("per");
      out.delay_ms = values.integer("delay");
      break;
    case RestartSettings::Strategy::kExponential:
      out.initial_ms = values.integer("initial");
      out.max_ms = values.integer("max");
      out.multiplier = values.number("multiplier");
      out.jitter = values.number("jitter");
      out.reset_after_ms = values.integer("reset_after");
      break;
  }
}

}  // namespace

/// The zone goes wherever the job's parameters go: to all expressions.
void read_time_zone(SpecContext& context, const OptionValues& values) {
  const std::string name = values.text("time_zone");
  if (name == "UTC") return;
  const ScalarFunction* function = context.registry.functions.find_scalar("LOCAL OF LTZ");
  if (function == nullptr) {
    not_supported(context, values.located("time_zone"), "time zones other than UTC are not supported by this build");
    return;
  }
  const TypePtr types[] = {make_temporal(TypeKind::kTimestampLtz, 3), make_string(false)};
  const Literal zone = name;
  const Literal* literals[] = {nullptr, &zone};
  if (auto known = function->resolve(types, literals); !known) {
    const Located& at = values.located("time_zone");
    context.diagnostics.error(ErrorCode::kBadValue, text_position(at), known.error().message, known.error().help,
                              text_length(at));
    return;
  }
  context.parameters.push_back({std::string(kTimeZoneParameter), types[1], zone});
}

void read_settings(SpecContext& context, const Located* settings) {
  const Located nothing;
  const OptionValues values =
      read_options(settings == nullptr ? nothing : *settings, settings_fields(), "settings", context.diagnostics);
  JobSettings& out = context.graph.settings;
  out.parallelism = static_cast<uint32_t>(values.integer("parallelism"));
  out.max_parallelism = static_cast<uint32_t>(values.integer("max_parallelism"));
  out.batch_rows = static_cast<uint32_t>(values.integer("batch_rows"));
  out.buffer_timeout_ms = values.integer("buffer_timeout");
  if (out.parallelism > out.max_parallelism) {
    context.diagnostics.error(
        ErrorCode::kBadPlan, text_position(values.located("parallelism")),
        fmt::format("parallelism {} is greater than max_parallelism {}", out.parallelism, out.max_parallelism));
  }
  read_time_zone(context, values);
  read_checkpoint(context, values.located("checkpoint"));
  read_state(context, values.located("state"));
  read_restart(context, values.located("restart"));
}

}  // namespace millrace
