#include "plan/spec/endpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/secrets.h"

namespace millrace {

namespace {

const OptionDescriptor* find_option(const ConnectorDescriptor& connector, std::string_view name) {
  auto found = std::ranges::find(connector.options, name, &OptionDescriptor::name);
  return found == connector.options.end() ? nullptr : &*found;
}

bool plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

void add_secret(SpecContext& context, const Located::Entry& entry, const ConnectorDescriptor& connector, Located& map) {
  const OptionDescriptor* option = find_option(connector, entry.key);
  const int key_length = static_cast<int>(entry.key.size());
  if (option == nullptr || !option->secret) {
    std::vector<std::string_view> known;
    for (const OptionDescriptor& one : connector.options) {
      if (one.secret) known.push_back(one.name);
    }
    report_unknown_field(entry.key, entry.key_position, fmt::format("secrets of `{}`", connector.name), known,
                         context.diagnostics);
    return;
  }
  if (!entry.value.is_scalar() || !plain_file_name(entry.value.text)) {
    context.diagnostics.error(ErrorCode::kWrongShape, entry.value.position, "a secret is given by its name");
    return;
  }
  if (map.find(entry.key) != nullptr) {
    context.diagnostics.error(ErrorCode::kConnectorOption, entry.key_position,
                              fmt::format("`{}` is given twice: as a field and under `secrets`", entry.key), {},
                              key_length);
    return;
  }
  std::optional<std::string> secret = read_secret(entry.value.text, context.overrides.environment);
  if (!secret) {
    context.diagnostics.error(ErrorCode::kUnknownVariable, text_position(entry.value),
                              fmt::format("the secret `{}` does not exist", entry.value.text), kMissingSecretHelp,
                              text_length(entry.value));
    return;
  }
  map.entries.push_back({entry.key, entry.key_position, secret_value(std::move(*secret), entry.value.position)});
}

void check_bare_secrets(SpecContext& context, const Located& map, const ConnectorDescriptor& connector) {
  for (const OptionDescriptor& option : connector.options) {
    if (!option.secret) continue;
    const Located* value = map.find(option.name);
    if (value == nullptr) continue;
    context.secrets.insert(value);
    if (!value->is_scalar() || value->interpolated || value->text.empty()) continue;
    context.diagnostics.error(ErrorCode::kConnectorOption, value->position,
                              fmt::format("`{}` is a secret and cannot stand in the file", option.name),
                              fmt::format("write `secrets: {{{}: name}}`, or ${{VARIABLE}}", option.name));
  }
}

}  // namespace

Located with_secrets(SpecContext& context, const Located& map, const ConnectorDescriptor& connector) {
  check_bare_secrets(context, map, connector);
  Located filled = map;
  const Located* secrets = map.find("secrets");
  if (secrets == nullptr || secrets->kind == Located::Kind::kNull) return filled;
  if (secrets->kind != Located::Kind::kMap) {
    context.diagnostics.error(ErrorCode::kWrongShape, secrets->position, "`secrets` needs a mapping `field: name`");
    return filled;
  }
  for (const Located::Entry& entry : secrets->entries) add_secret(context, entry, connector, filled);
  return filled;
}

std::optional<FormatConfig> read_format(SpecContext& context, const OptionValues& common, bool decode,
                                        const std::string& place) {
  Located map = common.located("format");
  if (map.is_scalar()) {  // `format: json`
    Located wrapped;
    wrapped.kind = Located::Kind::kMap;
    wrapped.position = map.position;
    wrapped.entries.push_back({"type", map.position, map});
    map = std::move(wrapped);
  }
  OptionReader reader(map, fmt::format("the format of {}", place), context.diagnostics);
  const OptionValues fixed = reader.read(decode ? source_format_fields() : sink_format_fields());
  const std::string name = fixed.text("type");
  auto found = context.registry.formats.find(name);
  const bool usable =
      found != context.registry.formats.end() && (decode ? found->second.can_decode : found->second.can_encode);
  if (!usable) {
    std::vector<std::string_view> known;
    for (const auto& [key, format] : context.registry.formats) {
      if (decode ? format.can_decode : format.can_encode) known.push_back(key);
    }
    Located at = fixed.located("type").is_scalar() ? fixed.located("type") : map;
    at.text = name;
    report_unknown_name(context, ErrorCode::kUnknownConnector, "format", at, std::move(known), future_formats());
    return std::nullopt;
  }
  FormatConfig config;
  config.name = name;
  config.options = reader.read(found->second.options);
  reader.finish();
  if (decode) {
    const std::string bad = fixed.text("bad_record");
    config.bad_record = bad == "skip" ? OnError::kSkip : bad == "dead_letter" ? OnError::kDeadLetter : OnError::kFail;
  }
  return config;
}

void check_parallelism(SpecContext& context, const OptionValues& common) {
  const auto limit = static_cast<int64_t>(context.graph.settings.max_parallelism);
  if (common.integer("parallelism") <= limit) return;
  context.diagnostics.error(
      ErrorCode::kBadPlan, text_position(common.located("parallelism")),
      fmt::format("parallelism {} is greater than settings.max_parallelism {}", common.integer("parallelism"), limit),
      {}, text_length(common.located("parallelism")));
}

uint32_t endpoint_parallelism(SpecContext& context, const OptionValues& common, const ConnectorDescriptor& connector,
                              uint32_t subtasks_max, uint32_t otherwise) {
  check_parallelism(context, common);
  const auto written = static_cast<uint32_t>(common.integer("parallelism", 0));
  if (written == 0) {
    if (connector.single_subtask) return 1;
    return subtasks_max == 0 ? otherwise : std::min(otherwise, subtasks_max);
  }
  if (subtasks_max != 0 && written > subtasks_max) {
    context.diagnostics.error(
        ErrorCode::kConnectorOption, text_position(common.located("parallelism")),
        fmt::format("`{}` can have {} here, not {}", connector.name,
                    subtasks_max == 1 ? "one subtask" : fmt::format("{} subtasks", subtasks_max), written),
        {}, text_length(common.located("parallelism")));
  }
  return written;
}

}  // namespace millrace
