#include "plan/spec/sources.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/nearest.h"
#include "plan/spec/endpoint.h"
#include "plan/spec/schema_columns.h"

namespace millrace {

namespace {

class SourceReaderOfSpec {
 public:
  SourceReaderOfSpec(SpecContext& context, const Located::Entry& entry)
      : context_(context), entry_(entry), place_(fmt::format("source `{}`", entry.key)) {}

  void read() {
    node_.kind = NodeKind::kSource;
    node_.id = entry_.key;
    node_.position = entry_.key_position;
    const bool ok = read_config();
    if (ok) add_ports();
    node_.states = {splits_schema(config_.connector)};
    node_.source = std::make_shared<const SourceConfig>(std::move(config_));
    context_.add_node(std::move(node_), !ok);
  }

 private:
  const ConnectorDescriptor* find_connector(const Located& type) {
    auto found = context_.registry.sources.find(type.text);
    if (found != context_.registry.sources.end()) return &found->second;
    std::vector<std::string_view> known;
    for (const auto& [name, connector] : context_.registry.sources) known.push_back(name);
    report_unknown_name(context_, ErrorCode::kUnknownConnector, "source connector", type, std::move(known),
                        future_connectors());
    return nullptr;
  }

  /// False when the columns are not known.
  bool read_config() {
    const Located* type = entry_.value.find("type");
    const ConnectorDescriptor* connector = nullptr;
    if (type != nullptr && type->is_scalar() && (connector = find_connector(*type)) == nullptr) return false;
    const Located map = connector == nullptr ? entry_.value : with_secrets(context_, entry_.value, *connector);
    OptionReader reader(map, place_, context_.diagnostics);
    OptionList fields = source_fields();
    if (connector != nullptr && !connector->uses_format)
      std::erase_if(fields, [](auto& f) { return f.name == "format"; });
    const OptionValues common = reader.read(fields);
    if (connector == nullptr) return false;
    node_.type = config_.connector = connector->name;
    config_.options = reader.read(connector->options);
    reader.finish();
    bool ok = true;
    if (connector->uses_format) {
      std::optional<FormatConfig> format = read_format(context_, common, true, place_);
      if (format) config_.format = std::move(*format);
    }
    config_.rate_limit = common.number("rate_limit", 0);
    config_.discover_every_ms = common.integer("discover_every");
    if (common.get("schema").set) {
      ok = read_schema_columns(context_, common.located("schema"), *connector, config_.columns);
    } else {
      ok = false;
    }
    if (ok && common.get("event_time").set) read_event_time(common.located("event_time"));
    if (connector->check_source) connector->check_source(config_.options, config_, context_.diagnostics);
    warn_about_idleness(*connector);
    node_.parallelism =
        endpoint_parallelism(context_, common, *connector, config_.subtasks_max, context_.graph.settings.parallelism);
    return ok;
  }

  void read_event_time(const Located& map) {
    const OptionValues values =
        read_options(map, event_time_fields(), fmt::format("the event_time of {}", place_), context_.diagnostics);
    EventTimeConfig& out = config_.event_time;
    out.out_of_orderness_ms = values.integer("out_of_orderness");
    out.idle_timeout_ms = values.integer("idle_timeout");
    out.max_ahead_ms = values.integer("max_ahead");
    out.max_drift_ms = values.integer("max_drift");
    const std::string emit = values.text("emit");
    out.emit = emit == "batch"    ? WatermarkEmit::kBatch
               : emit == "record" ? WatermarkEmit::kRecord
                                  : WatermarkEmit::kInterval;
    event_time_position_ = map.position;
    if (!values.get("column").set) return;
    const Located& column = values.located("column");
    for (size_t i = 0; i < config_.columns.size(); ++i) {
      if (config_.columns[i].name == column.text) out.column = static_cast<int32_t>(i);
    }
    if (out.column < 0) {
      std::vector<std::string_view> known;
      for (const SourceColumn& one : config_.columns) known.push_back(one.name);
      const std::string near = nearest_name(column.text, known);
      context_.diagnostics.error(
          ErrorCode::kUnknownColumn, text_position(column), fmt::format("{} has no column `{}`", place_, column.text),
          near.empty() ? "" : fmt::format("a column with a similar name exists: `{}`", near), text_length(column));
      return;
    }
    const DataType& type = *config_.columns[static_cast<size_t>(out.column)].type;
    if (type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampLtz) return;
    context_.diagnostics.error(
        ErrorCode::kTypeMismatch, text_position(column),
        fmt::format("the event time must be a TIMESTAMP; `{}` is {}", column.text, type.to_string()),
        "write `TIMESTAMP(3) FROM epoch_millis` in the schema", text_length(column));
  }

  static bool has_partitions(const ConnectorDescriptor& connector) {
    return std::ranges::find(connector.metadata_columns, "partition") != connector.metadata_columns.end();
  }

  void warn_about_idleness(const ConnectorDescriptor& connector) {
    if (!has_partitions(connector) || config_.bounded || config_.event_time.column < 0 ||
        config_.event_time.idle_timeout_ms >= 0) {
      return;
    }
    context_.diagnostics.warning(ErrorCode::kLintNoIdleTimeout, event_time_position_,
                                 fmt::format("{} may have several partitions and has no idle_timeout", place_),
                                 "add `idle_timeout: 30s`: else one silent partition holds all windows back");
  }

  void add_ports() {
    Schema schema;
    for (const SourceColumn& column : config_.columns) schema.fields.push_back({column.name, column.type});
    const auto shared = std::make_shared<const Schema>(std::move(schema));
    node_.outputs.push_back({"", shared, Changelog::kAppend, {}});
    if (config_.format.bad_record == OnError::kDeadLetter) {
      node_.outputs.push_back({"dead_letter", source_dead_letter_schema(), Changelog::kAppend, {}});
    }
    if (config_.event_time.max_ahead_ms >= 0) node_.outputs.push_back({"ahead", shared, Changelog::kAppend, {}});
  }

  SpecContext& context_;
  const Located::Entry& entry_;
  std::string place_;
  Node node_;
  SourceConfig config_;
  Position event_time_position_;
};

}  // namespace

void read_sources(SpecContext& context, const Located& sources) {
  for (const Located::Entry& entry : sources.entries) SourceReaderOfSpec(context, entry).read();
}

}  // namespace millrace
