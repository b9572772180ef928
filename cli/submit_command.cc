#include "cli/submit_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/result_output.h"
#include "cli/usage.h"

namespace millrace {

namespace {

using SubmitJson = nlohmann::json;
constexpr int kFollowMs = 200;
constexpr int kUnreachableTriesMax = 50;  // a job manager that is started again is back within seconds

/// --param, --set and the start options as a query.
std::string query_of(const Arguments& arguments, const SpecOverrides& overrides) {
  std::string query = "?";
  for (const auto& [name, value] : overrides.params)
    query += fmt::format("param.{}={}&", escape_url(name), escape_url(value));
  for (const auto& [path, value] : overrides.settings)
    query += fmt::format("set.{}={}&", escape_url(path), escape_url(value));
  for (const char* option : {"restore", "fork"}) {
    const std::string value = arguments.option(fmt::format("--{}", option));
    if (!value.empty()) query += fmt::format("{}={}&", option, escape_url(value));
  }
  for (const std::string& flag : arguments.flags) {
    if (flag == "--wait" || flag == "--quiet") continue;
    std::string name = flag.substr(2);
    std::ranges::replace(name, '-', '_');
    query += name + "=true&";
  }
  query.pop_back();  // the last & or the question mark
  return query;
}

/// Progress of a job that is waited for: one line that is written over on a terminal, lines of what changed elsewhere.
class SubmitProgress {
 public:
  void show(const SubmitJson& job) {
    const SubmitJson& last = job["checkpoints"]["last"];
    std::string line = fmt::format("{}  {}  checkpoints {}  restarts {}", job.value("name", ""), job.value("state", ""),
                                   job["checkpoints"].value("completed", 0), job.value("restarts", 0));
    if (last.value("id", 0) > 0) line += fmt::format("  last {} ms", last.value("duration_ms", 0));
    if (const std::string why = job.value("waiting_for", ""); !why.empty()) line += "  waits: " + why;
    if (line == line_) return;
    line_ = line;
    std::fprintf(stderr, terminal_ ? "\r\x1b[K%s" : "%s\n", line.c_str());
  }
  ~SubmitProgress() {
    if (terminal_ && !line_.empty()) std::fputc('\n', stderr);
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::string line_;
};

/// Until the job has ended: 0 when it finished or was stopped with its state.
int follow_job(const ClusterClient& client, const std::string& job_id) {
  SubmitProgress progress;
  int unreachable = 0;
  for (;;) {
    const auto body = client.get(job_target(job_id));
    if (!body && (body.error() != kExitUnreachable || ++unreachable > kUnreachableTriesMax)) return body.error();
    if (body) {
      unreachable = 0;
      const SubmitJson job = SubmitJson::parse(*body);
      progress.show(job);
      const std::string state = job.value("state", "");
      if (state == "FINISHED" || state == "SUSPENDED") return kExitDone;
      if (state == "CANCELED") return kExitFailed;
      if (state == "FAILED") {
        const SubmitJson failure = job.value("failure", SubmitJson::object());
        std::fprintf(stderr, "\nerror[%s]: %s\n", failure.value("code", "").c_str(),
                     failure.value("message", "").c_str());
        return kExitFailed;
      }
    }
    pause_ms(kFollowMs);
  }
}

int print_submitted(const Arguments& arguments, const std::string& body) {
  const std::string format = arguments.option("--output", "table");
  const SubmitJson answer = SubmitJson::parse(body);
  if (format != "table") {
    print_result(format, body, {});
  } else if (arguments.flag("--dry-run")) {
    std::printf("%s\n", answer["plan"].dump(2).c_str());
  } else {
    std::printf("%s\n", answer.value("job_id", "").c_str());
    std::fflush(stdout);
  }
  if (arguments.flag("--dry-run") || !arguments.flag("--wait")) return kExitDone;
  return follow_job(ClusterClient(arguments), answer.value("job_id", ""));
}

}  // namespace

int command_submit(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const ArgumentRules rules{{"--wait", "--dry-run", "--fresh", "--take-over", "--until-done", "--allow-dropped-state",
                             "--republish", "--accept-lost-progress"},
                            {"--param", "--set", "--restore", "--fork"},
                            1,
                            1};
  const auto arguments = parse_arguments(args, cluster_rules(rules));
  if (!arguments) return usage_error("submit", arguments.error(), kSubmitUsage);
  if (!is_output_format(arguments->option("--output", "table"))) {
    return usage_error("submit", "--output is table, json or yaml", kSubmitUsage);
  }
  const auto overrides = overrides_of(*arguments);
  if (!overrides) return usage_error("submit", overrides.error(), kSubmitUsage);
  auto file = read_job_file(arguments->words[0]);
  if (!file) return file_error(file.error());
  const auto body = ClusterClient(*arguments).call("POST", "/api/v1/jobs" + query_of(*arguments, *overrides), *file);
  return body ? print_submitted(*arguments, *body) : body.error();
}

int command_upgrade(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const ArgumentRules rules{{"--allow-dropped-state"}, {"--param", "--set"}, 2, 2};
  const auto arguments = parse_arguments(args, cluster_rules(rules));
  if (!arguments) return usage_error("upgrade", arguments.error(), kUpgradeUsage);
  const auto overrides = overrides_of(*arguments);
  if (!overrides) return usage_error("upgrade", overrides.error(), kUpgradeUsage);
  auto file = read_job_file(arguments->words[1]);
  if (!file) return file_error(file.error());
  const std::string& job = arguments->words[0];
  const auto done =
      ClusterClient(*arguments).operate(job, job_target(job, "/upgrade" + query_of(*arguments, *overrides)), *file);
  if (!done) return done.error();
  const std::string format = arguments->option("--output", "table");
  if (format != "table") print_result(format, *done, {});
  if (format == "table") std::fprintf(stderr, "job %s runs the new file\n", job.c_str());
  return kExitDone;
}

}  // namespace millrace
