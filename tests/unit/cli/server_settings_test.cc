#include "cli/server_settings.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/file_system.h"

namespace millrace {
namespace {

SettingsInput settings_input(std::string yaml, std::map<std::string, std::string> environment = {}) {
  environment.emplace("HOME", "/ada");
  SettingsInput input;
  input.file_name = "jobmanager.yaml";
  input.file_text = std::move(yaml);
  input.environment = [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  return input;
}

std::string settings_mistake(ServerRole role, const SettingsInput& input) {
  const auto settings = read_server_settings(role, input);
  REQUIRE_FALSE(settings);
  return settings.error().message;
}

TEST_CASE("a job manager without a file has the documented defaults") {
  const auto settings = read_server_settings(ServerRole::kJobManager, settings_input(""));
  REQUIRE(settings);
  const JobManagerSettings& job = settings->jobmanager;
  CHECK(job.bind == "127.0.0.1");
  CHECK(job.rest_port == 8081);
  CHECK(job.rpc_port == 6123);
  CHECK(job.data_dir == "/ada/.local/state/millrace");
  CHECK(job.checkpoint_dir == "/ada/.local/state/millrace/checkpoints");
  CHECK(job.heartbeat_timeout_ms == 5000);
}

TEST_CASE("keys stand dotted or nested in the file") {
  const auto settings = read_server_settings(
      ServerRole::kJobManager, settings_input("data_dir: /srv/m\nrest: {port: 0}\nrpc.port: 7000\ncheckpoint:\n  dir: "
                                              "${CHK}/c\n",
                                              {{"CHK", "/mnt"}}));
  REQUIRE(settings);
  CHECK(settings->jobmanager.rest_port == 0);
  CHECK(settings->jobmanager.rpc_port == 7000);
  CHECK(settings->jobmanager.checkpoint_dir == "/mnt/c");
}

TEST_CASE("the environment is stronger than the file, and --set than both") {
  SettingsInput input = settings_input("slots: 2\nmemory: 512MiB\ndata.port: 1\n",
                                       {{"MILLRACE_SLOTS", "3"}, {"MILLRACE_DATA_PORT", "7"}});
  input.sets = {{"slots", "4"}, {"jobmanager", "jm:6123"}, {"data.compression", "never"}};
  const auto settings = read_server_settings(ServerRole::kTaskManager, input);
  REQUIRE(settings);
  CHECK(settings->taskmanager.slots == 4);
  CHECK(settings->taskmanager.data_port == 7);
  CHECK(settings->taskmanager.data_compression == "never");
  CHECK(settings->taskmanager.memory_bytes == 512u << 20);
  CHECK(settings->taskmanager.jobmanager == "jm:6123");
}

TEST_CASE("every mistake is told with its place") {
  SettingsInput input = settings_input("rest.prot: 1\nrpc.port: 70000\n", {{"MILLRACE_JOBS_KEPT", "many"}});
  input.sets = {{"bnid", "x"}};
  const std::string text = settings_mistake(ServerRole::kJobManager, input);
  CHECK(text.find("jobmanager.yaml:1:1") != std::string::npos);
  CHECK(text.find("`rest.port`") != std::string::npos);
  CHECK(text.find("jobmanager.yaml:2:11") != std::string::npos);
  CHECK(text.find("MILLRACE_JOBS_KEPT: ") != std::string::npos);
  CHECK(text.find("--set bnid: ") != std::string::npos);
}

TEST_CASE("an address that others reach needs tokens or --insecure") {
  SettingsInput input = settings_input("bind: 0.0.0.0\n");
  CHECK(settings_mistake(ServerRole::kJobManager, input).find("rest.token_file") != std::string::npos);
  CHECK(settings_mistake(ServerRole::kTaskManager, input).find("--insecure") != std::string::npos);
  input.insecure = true;
  CHECK(read_server_settings(ServerRole::kJobManager, input));
  CHECK(read_server_settings(ServerRole::kCluster, input));
  CHECK(read_server_settings(ServerRole::kJobManager, settings_input("bind: 0.0.0.0\nrest.token_file: /run/t\n")));
}

TEST_CASE("S3 is configured by keys, and a wrong endpoint or a data directory on S3 is refused") {
  const auto settings = read_server_settings(ServerRole::kTaskManager,
                                             settings_input("s3: {endpoint: http://h:9000, path_style: false}\n"));
  REQUIRE(settings);
  CHECK(settings->s3.endpoint == "http://h:9000");
  CHECK(settings->s3.path_style == "false");
  CHECK(settings_mistake(ServerRole::kJobManager, settings_input("s3.endpoint: h:9000\n")).find("s3.endpoint: ") == 0);
  CHECK(settings_mistake(ServerRole::kJobManager, settings_input("data_dir: s3://bucket/x\n")).find("data_dir") == 0);
}

TEST_CASE("the files under configs are what --describe prints, and can be read") {
  for (const ServerRole role : {ServerRole::kJobManager, ServerRole::kTaskManager}) {
    const std::string path = std::string(MILLRACE_SOURCE) + "/configs/" + std::string(server_role_name(role)) + ".yaml";
    const auto text = local_file_system().read_all(path);
    REQUIRE(text);
    CHECK(*text == describe_server_settings(role));
    CHECK(read_server_settings(role, settings_input(*text)));
  }
}

}  // namespace
}  // namespace millrace
