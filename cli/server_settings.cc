#include "cli/server_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <thread>

#include "cli/arguments.h"
#include "cli/job_file.h"
#include "core/environment.h"
#include "core/file_system.h"
#include "core/storage.h"
#include "http/server.h"
#include "plan/interpolate.h"
#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "plan/render_diagnostics.h"
#include "plan/yaml_reader.h"

namespace millrace {

namespace {

/// {rest: {port: 1}} -> {rest.port: 1}
void flatten(const Located& map, const std::string& prefix, Located& into) {
  for (const Located::Entry& entry : map.entries) {
    const std::string key = prefix.empty() ? entry.key : prefix + "." + entry.key;
    if (entry.value.kind == Located::Kind::kMap) {
      flatten(entry.value, key, into);
    } else {
      into.entries.push_back({key, entry.key_position, entry.value});
    }
  }
}

/// A file whose keys are all commented out, as --describe prints it.
bool only_comments(std::string_view text) {
  bool comment = false;
  for (const char c : text) {
    if (c == '\n') comment = false;
    if (c == '#') comment = true;
    if (!comment && std::isspace(static_cast<unsigned char>(c)) == 0) return false;
  }
  return true;
}

OptionValues read_file(ServerRole role, const SettingsInput& input, Diagnostics& diagnostics) {
  Located flat;
  flat.kind = Located::Kind::kMap;
  std::optional<Located> tree;
  if (!only_comments(input.file_text)) tree = read_yaml(input.file_text, diagnostics);
  if (tree && tree->kind == Located::Kind::kMap) {
    interpolate(*tree, {input.environment, {}, true}, diagnostics);
    flatten(*tree, "", flat);
  } else if (tree && tree->kind != Located::Kind::kNull) {
    diagnostics.error(ErrorCode::kWrongShape, tree->position, "the configuration is a mapping of keys to values");
  }
  return read_options(flat, server_options(role), "the configuration", diagnostics);
}

std::string variable_of(std::string_view key) {
  std::string name = "MILLRACE_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// A value from outside the file; `origin` names it in messages.
void override_value(const OptionDescriptor& option, const std::string& origin, const std::string& text,
                    OptionValues& values, std::string& mistakes) {
  Located value;
  value.kind = Located::Kind::kScalar;
  value.text = text;
  Diagnostics diagnostics;
  auto read = read_option(value, option, diagnostics);
  if (read && !diagnostics.has_errors()) {
    read->set = true;
    return values.set(option.name, std::move(*read));
  }
  for (const Diagnostic& one : diagnostics.all()) mistakes += fmt::format("{}: {}\n", origin, one.message);
}

void apply_overrides(ServerRole role, const SettingsInput& input, OptionValues& values, std::string& mistakes) {
  const auto options = server_options(role);
  for (const OptionDescriptor& option : options) {
    const std::string variable = variable_of(option.name);
    const auto text = input.environment ? input.environment(variable) : std::nullopt;
    if (text) override_value(option, variable, *text, values, mistakes);
  }
  for (const auto& [key, text] : input.sets) {
    const auto option = std::ranges::find(options, key, &OptionDescriptor::name);
    if (option != options.end()) {
      override_value(*option, "--set " + key, text, values, mistakes);
      continue;
    }
    Diagnostics diagnostics;
    std::vector<std::string_view> known;
    for (const OptionDescriptor& one : options) known.push_back(one.name);
    report_unknown_field(key, {}, "the configuration", known, diagnostics);
    for (const Diagnostic& one : diagnostics.all()) {
      mistakes += fmt::format("--set {}: {}{}\n", key, one.message, one.help.empty() ? "" : "; " + one.help);
    }
  }
}

std::string text_or(const OptionValues& values, std::string_view key, std::string otherwise) {
  std::string text = values.text(key);
  return text.empty() ? std::move(otherwise) : text;
}

std::string shown_value(const OptionDescriptor& option, const OptionValues& values) {
  if (!values.has(option.name)) return "";
  const OptionValue& value = values.get(option.name);
  if (option.kind == OptionKind::kDuration) return format_duration(values.integer(option.name));
  if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value.value)) return std::to_string(*number);
  if (const auto* truth = std::get_if<bool>(&value.value)) return *truth ? "true" : "false";
  return fmt::format("{}", fmt::join(values.texts(option.name), ","));
}

JobManagerSettings jobmanager_of(const OptionValues& values, const std::string& data_dir) {
  JobManagerSettings out;
  out.bind = values.text("bind");
  out.data_dir = data_dir;
  out.checkpoint_dir = text_or(values, "checkpoint.dir", join_path(data_dir, "checkpoints"));
  if (out.checkpoint_dir.starts_with("file://")) out.checkpoint_dir.erase(0, 7);
  out.rest_port = static_cast<uint16_t>(values.integer("rest.port"));
  out.rpc_port = static_cast<uint16_t>(values.integer("rpc.port"));
  out.rest_token_file = values.text("rest.token_file");
  out.rest_hosts = values.texts("rest.hosts");
  out.heartbeat_timeout_ms = values.integer("heartbeat.timeout");
  out.jobs_kept = values.integer("jobs.kept");
  out.insecure = values.boolean("insecure");
  return out;
}

TaskManagerSettings taskmanager_of(ServerRole role, const OptionValues& values, const std::string& data_dir) {
  TaskManagerSettings out;
  const bool alone = role == ServerRole::kTaskManager;
  out.bind = values.text("bind");
  out.jobmanager = alone ? values.text("jobmanager") : "";
  out.advertise = alone ? values.text("advertise") : "";
  out.rest_port = alone ? static_cast<uint16_t>(values.integer("rest.port")) : uint16_t{0};
  out.data_dir = data_dir;
  out.token_file = values.text(alone ? "token_file" : "rest.token_file");
  out.slots = static_cast<uint32_t>(values.integer("slots", std::max(1u, std::thread::hardware_concurrency())));
  out.memory_bytes = static_cast<uint64_t>(values.integer("memory"));
  out.data_port = static_cast<uint16_t>(values.integer("data.port"));
  if (alone) out.data_compression = values.text("data.compression");
  out.insecure = values.boolean("insecure");
  return out;
}

/// What holds between keys.
void check_together(ServerRole role, const OptionValues& values, std::string& mistakes) {
  const std::string bind = values.text("bind");
  const bool tokens = role != ServerRole::kTaskManager && !values.text("rest.token_file").empty();
  if (!is_loopback(bind) && !tokens && !values.boolean("insecure")) {
    mistakes +=
        fmt::format("bind: {} is reachable from other machines, and nobody would have to prove who they are; {}", bind,
                    role == ServerRole::kTaskManager ? "" : "set `rest.token_file`, or ");
    mistakes += "allow it with `insecure: true` or --insecure in a closed network\n";
  }
  if (const std::string endpoint = values.text("s3.endpoint"); !endpoint.empty()) {
    if (const Status address = check_s3_endpoint(endpoint); !address) {
      mistakes += fmt::format("s3.endpoint: {}; {}\n", address.error().message, address.error().help);
    }
  }
  if (is_object_path(values.text("data_dir"))) mistakes += "data_dir: it must be a local directory\n";
  if (role != ServerRole::kTaskManager) return;
  if (const auto address = parse_address(values.text("jobmanager")); !address) {
    mistakes += fmt::format("jobmanager: {}\n", address.error().message);
  }
}

}  // namespace

Result<ServerSettings> read_server_settings(ServerRole role, const SettingsInput& input) {
  Diagnostics diagnostics;
  std::string mistakes;
  OptionValues values = read_file(role, input, diagnostics);
  apply_overrides(role, input, values, mistakes);
  if (input.insecure) {
    OptionValue yes;
    yes.value = true;
    values.set("insecure", std::move(yes));
  }
  if (diagnostics.has_errors()) mistakes = render_text(diagnostics, {input.file_name, input.file_text}) + mistakes;
  if (mistakes.empty()) check_together(role, values, mistakes);
  if (!mistakes.empty()) return make_error(ErrorCode::kBadValue, mistakes);
  const std::string data_dir = text_or(values, "data_dir", default_data_dir(input.environment));
  ServerSettings out;
  out.s3 = {values.text("s3.endpoint"), values.text("s3.region"), "", format_duration(values.integer("s3.timeout"))};
  if (values.has("s3.path_style")) out.s3.path_style = values.boolean("s3.path_style") ? "true" : "false";
  if (role != ServerRole::kTaskManager) out.jobmanager = jobmanager_of(values, data_dir);
  if (role != ServerRole::kJobManager) out.taskmanager = taskmanager_of(role, values, data_dir);
  for (const OptionDescriptor& option : server_options(role)) {
    out.values.emplace_back(option.name, option.name == "data_dir" ? data_dir : shown_value(option, values));
  }
  return out;
}

std::string default_data_dir(const EnvironmentLookup& environment) {
  const auto variable = [&](const char* name) { return environment ? environment(name) : std::nullopt; };
  if (const auto state = variable("XDG_STATE_HOME"); state && !state->empty()) return join_path(*state, "millrace");
  return join_path(variable("HOME").value_or("."), ".local/state/millrace");
}

std::string describe_server_settings(ServerRole role) {
  std::string out = fmt::format(
      "# Configuration of `millrace {0}`: millrace {0} --config FILE. Every key is also a variable, as in\n"
      "# {1}, and an argument, as in --set {2}=…. `millrace {0} --describe` prints this file.\n",
      server_role_name(role), variable_of("rest.port"), "rest.port");
  for (const OptionDescriptor& option : server_options(role)) {
    out += fmt::format("\n# {}{}\n", option.help, option.unit.empty() ? "" : " (" + option.unit + ")");
    out += fmt::format("# {}: {}\n", option.name, option.default_text.value_or(option.example));
  }
  return out;
}

std::expected<ServerSettings, int> server_settings_of(ServerRole role, const std::vector<std::string>& args,
                                                      std::string_view usage) {
  const std::string_view name = server_role_name(role);
  const auto parsed = parse_arguments(args, {{"--describe", "--insecure"}, {"--config", "--set"}, 0, 0});
  if (!parsed) return std::unexpected(usage_error(name, parsed.error(), usage));
  if (parsed->flag("--describe")) {
    std::fputs(describe_server_settings(role).c_str(), stdout);
    return std::unexpected(0);
  }
  const auto overrides = overrides_of(*parsed);
  if (!overrides) return std::unexpected(usage_error(name, overrides.error(), usage));
  SettingsInput input{parsed->option("--config"), "", overrides->settings, environment_variable,
                      parsed->flag("--insecure")};
  if (!input.file_name.empty()) {
    auto text = local_file_system().read_all(input.file_name);
    if (!text) return std::unexpected(file_error(text.error()));
    input.file_text = std::move(*text);
  }
  auto settings = read_server_settings(role, input);
  if (settings) {
    if (auto s3 = s3_settings(settings->s3, environment_variable)) configure_s3(std::move(*s3));  // checked there
    return std::move(*settings);
  }
  std::fprintf(stderr, "error: the configuration of the %s is wrong\n%s", std::string(name).c_str(),
               settings.error().message.c_str());
  return std::unexpected(2);
}

}  // namespace millrace
