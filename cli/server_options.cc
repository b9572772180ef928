// The keys of the servers' configuration.
#include <array>

#include "cli/server_settings.h"

namespace millrace {

namespace {

OptionDescriptor data_dir_option() {
  return {.name = "data_dir",
          .help =
              "where this process keeps what must survive it (default: $XDG_STATE_HOME/millrace, or "
              "~/.local/state/millrace)",
          .example = "/var/lib/millrace"};
}

OptionDescriptor bind_option() {
  return {.name = "bind",
          .default_text = "127.0.0.1",
          .help =
              "the IP address to listen on; another one than loopback must be allowed by `insecure` (or, for a job "
              "manager, protected by `rest.token_file`)"};
}

OptionDescriptor insecure_option() {
  return {.name = "insecure",
          .kind = OptionKind::kBoolean,
          .default_text = "false",
          .help = "listen on an address that others reach, without authentication: for closed networks only"};
}

OptionDescriptor port_option(std::string name, std::string fallback, std::string help) {
  return {.name = std::move(name),
          .kind = OptionKind::kInteger,
          .default_text = std::move(fallback),
          .min = 0,
          .max = 65535,
          .help = std::move(help) + "; 0: any free port"};
}

std::vector<OptionDescriptor> control_options() {
  return {
      {.name = "checkpoint.dir",
       .help = "checkpoints and savepoints, one directory per job; every process must reach it under this path "
               "(default: <data_dir>/checkpoints)",
       .example = "/mnt/shared/checkpoints"},
      port_option("rest.port", "8081", "REST, pages and metrics"),
      {.name = "rest.token_file",
       .help = "a file with one token a line; requests must then carry `Authorization: Bearer <token>`, and task "
               "managers bring one (their `token_file`)",
       .example = "/run/secrets/millrace_tokens"},
      {.name = "rest.hosts",
       .kind = OptionKind::kTextList,
       .help = "further host names under which browsers may call, beside localhost and IP addresses",
       .example = "[millrace.example.org]"},
      port_option("rpc.port", "6123", "where task managers connect"),
      {.name = "heartbeat.timeout",
       .kind = OptionKind::kDuration,
       .default_text = "5s",
       .min = 500,
       .max = 600'000,
       .help = "a task manager that is silent for so long is given up"},
      {.name = "jobs.kept",
       .kind = OptionKind::kInteger,
       .default_text = "100",
       .min = 0,
       .max = 100'000,
       .help = "how many jobs that ended are still shown"},
  };
}

std::vector<OptionDescriptor> resource_options() {
  return {
      {.name = "slots",
       .kind = OptionKind::kInteger,
       .min = 1,
       .max = 1024,
       .help = "one slot runs one subtask of every step of one job (default: the processor's cores)",
       .example = "2"},
      {.name = "memory",
       .kind = OptionKind::kBytes,
       .default_text = "1GiB",
       .min = 64 << 20,
       .help = "for state, buffers and caches together; Millrace divides it itself"},
      port_option("data.port", "0", "where other task managers connect"),
  };
}

std::vector<OptionDescriptor> worker_options() {
  return {
      {.name = "jobmanager",
       .default_text = "127.0.0.1:6123",
       .help = "host and port of the job manager (its `rpc.port`)"},
      {.name = "advertise",
       .help = "the host name or address under which the other processes reach this one (default: `bind`, or this "
               "host's name when that is 0.0.0.0)",
       .example = "taskmanager-1"},
      {.name = "token_file",
       .help = "a file whose first token is brought to the job manager, where that has a `rest.token_file`",
       .example = "/run/secrets/millrace_tokens"},
      port_option("rest.port", "0", "metrics and health"),
      {.name = "data.compression",
       .kind = OptionKind::kChoice,
       .default_text = "remote",
       .choices = {"remote", "always", "never"},
       .help = "LZ4 for batches of 8 KiB and more on their way to task managers of other hosts, to all, or to none"},
  };
}

std::vector<OptionDescriptor> s3_options() {
  return {
      {.name = "s3.endpoint",
       .help = "the S3 server for paths s3://bucket/prefix (default: AWS in `s3.region`); keys: secrets "
               "aws_access_key_id and aws_secret_access_key, or the variables AWS_ACCESS_KEY_ID, …",
       .example = "http://127.0.0.1:9000"},
      {.name = "s3.region", .help = "its region (default: $AWS_REGION, else us-east-1)", .example = "eu-central-1"},
      {.name = "s3.path_style",
       .kind = OptionKind::kBoolean,
       .help = "the bucket's name in the path instead of the host name (default: true where there is an endpoint)",
       .example = "true"},
      {.name = "s3.timeout",
       .kind = OptionKind::kDuration,
       .default_text = "30s",
       .min = 100,
       .max = 3'600'000,
       .help = "for one operation of S3 with all its repetitions"},
  };
}

std::vector<OptionDescriptor> options_of(ServerRole role) {
  std::vector<OptionDescriptor> all{bind_option(), data_dir_option()};
  const auto add = [&all](std::vector<OptionDescriptor> more) { all.insert(all.end(), more.begin(), more.end()); };
  if (role != ServerRole::kTaskManager) add(control_options());
  if (role == ServerRole::kTaskManager) add(worker_options());
  if (role != ServerRole::kJobManager) add(resource_options());
  add(s3_options());
  all.push_back(insecure_option());
  return all;
}

}  // namespace

std::string_view server_role_name(ServerRole role) {
  constexpr std::array<std::string_view, 3> kNames{"jobmanager", "taskmanager", "cluster"};
  return kNames.at(static_cast<size_t>(role));
}

std::span<const OptionDescriptor> server_options(ServerRole role) {
  static const std::array<std::vector<OptionDescriptor>, 3> kAll{
      options_of(ServerRole::kJobManager), options_of(ServerRole::kTaskManager), options_of(ServerRole::kCluster)};
  return kAll.at(static_cast<size_t>(role));
}

}  // namespace millrace
