// The configuration of the servers: every key of a job manager and of a task manager is an option descriptor, so that
// one list validates, defaults and documents them (`--describe`, configs/*.yaml). A value comes from, weakest first:
// its default, the file of --config, the variable MILLRACE_<KEY>, `--set key=value`. Read once, before any thread
// starts.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/s3_options.h"
#include "core/status.h"
#include "plan/options.h"
#include "plan/secrets.h"

namespace millrace {

enum class ServerRole : uint8_t { kJobManager, kTaskManager, kCluster };
std::string_view server_role_name(ServerRole role);  // "jobmanager": also the command's name

struct JobManagerSettings {
  std::string bind;            // an IP address: REST and the task managers' connections
  std::string data_dir;        // absolute or relative to the process
  std::string checkpoint_dir;  // one directory per job below it; all processes must reach it by this path
  uint16_t rest_port = 0;      // 0: any free one
  uint16_t rpc_port = 0;
  std::string rest_token_file;          // "" without: one bearer token a line
  std::vector<std::string> rest_hosts;  // further names a request's Host may carry
  int64_t heartbeat_timeout_ms = 0;
  int64_t jobs_kept = 0;  // how many jobs that ended are still shown
  bool insecure = false;
};

struct TaskManagerSettings {
  std::string jobmanager;  // "host:port"
  std::string bind;
  std::string advertise;  // the host under which other processes reach this one; "": `bind`, or this host's name
  std::string data_dir;
  std::string token_file;  // its first token is brought to the job manager; "" without
  uint32_t slots = 0;
  uint64_t memory_bytes = 0;
  uint16_t data_port = 0;
  std::string data_compression = "remote";  // always, never
  uint16_t rest_port = 0;
  bool insecure = false;
};

/// For kCluster both are filled; its task manager has no port of its own for metrics and connects to its job manager.
struct ServerSettings {
  JobManagerSettings jobmanager;
  TaskManagerSettings taskmanager;
  S3Options s3;
  std::vector<std::pair<std::string, std::string>> values;  // every key as a text, for REST
};

struct SettingsInput {
  std::string file_name;                                  // "" without --config
  std::string file_text;                                  // YAML: dotted keys or nested mappings
  std::vector<std::pair<std::string, std::string>> sets;  // of --set
  EnvironmentLookup environment;                          // getenv in production
  bool insecure = false;
};

/// $XDG_STATE_HOME/millrace or ~/.local/state/millrace: for `millrace run` too.
std::string default_data_dir(const EnvironmentLookup& environment);

std::span<const OptionDescriptor> server_options(ServerRole role);

/// kBadValue: the message holds every mistake, those of the file with a caret.
Result<ServerSettings> read_server_settings(ServerRole role, const SettingsInput& input);

/// A configuration file with every key, its help and its default, commented out.
std::string describe_server_settings(ServerRole role);

/// What `millrace jobmanager|taskmanager|cluster` take: [--config FILE] [--set key=value]… [--insecure] [--describe].
/// The error is the exit code, after all there is to say was printed: 0 for --describe, 2 for a mistake.
std::expected<ServerSettings, int> server_settings_of(ServerRole role, const std::vector<std::string>& args,
                                                      std::string_view usage);

}  // namespace millrace
