#include "cli/cluster_commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/result_output.h"
#include "cli/step_table.h"
#include "cli/usage.h"
#include "core/text.h"

namespace millrace {

namespace {

using CommandJson = nlohmann::json;

/// What all of these begin with: arguments, --output, the client.
struct ClusterCall {
  Arguments arguments;
  std::string format;
  ClusterClient client;
};

std::expected<ClusterCall, int> begin(std::string_view command, std::string_view usage,
                                      const std::vector<std::string>& args, ArgumentRules rules) {
  auto parsed = parse_arguments(args, cluster_rules(std::move(rules)));
  if (!parsed) return std::unexpected(usage_error(command, parsed.error(), usage));
  std::string format = parsed->option("--output", "table");
  if (!is_output_format(format)) {
    return std::unexpected(usage_error(command, "there is no output `" + format + "`", usage));
  }
  ClusterClient client(*parsed);
  return ClusterCall{std::move(*parsed), std::move(format), std::move(client)};
}

std::string text_at(const CommandJson& json, const char* name) {
  const CommandJson value = json.value(name, CommandJson());
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

int64_t number_at(const CommandJson& json, const char* name) { return json.value(name, int64_t{0}); }

TableRows jobs_table(const CommandJson& body) {
  TableRows rows{{"ID", "NAME", "STATE", "STARTED (UTC)", "RESTARTS", "TASKS", "CHECKPOINTS", "NOTE"}};
  for (const CommandJson& job : body["jobs"]) {
    std::string note = text_at(job, "waiting_for");
    if (note.empty() && job.contains("failure")) note = text_at(job["failure"], "message");
    rows.push_back({text_at(job, "id"), text_at(job, "name"), text_at(job, "state"),
                    time_text(number_at(job, "started_at")), text_at(job, "restarts"), text_at(job, "tasks"),
                    text_at(job["checkpoints"], "completed"), note});
  }
  return rows;
}

TableRows status_table(const CommandJson& job) {
  const CommandJson& last = job["checkpoints"]["last"];
  TableRows rows{{"id", text_at(job, "id")},
                 {"name", text_at(job, "name")},
                 {"state", text_at(job, "state")},
                 {"started", time_text(number_at(job, "started_at"))},
                 {"restarts", text_at(job, "restarts")},
                 {"tasks", text_at(job, "tasks")},
                 {"checkpoints", fmt::format("{} completed, {} failed", number_at(job["checkpoints"], "completed"),
                                             number_at(job["checkpoints"], "failed"))}};
  if (number_at(last, "id") > 0) {
    rows.push_back(
        {"last checkpoint",
         fmt::format("{} at {}, {} ms, {}", number_at(last, "id"), time_text(number_at(last, "completed_at")),
                     number_at(last, "duration_ms"), bytes_text(static_cast<double>(number_at(last, "bytes"))))});
  }
  if (job.contains("state_size")) rows.push_back({"state size", text_at(job["state_size"], "text")});
  std::string settings;
  const CommandJson fields = job["checkpoints"].value("settings", CommandJson::object());
  for (const auto& [field, value] : fields.items()) {
    settings += (settings.empty() ? "" : ", ") + field + " " + value.get<std::string>();
  }
  if (!settings.empty()) rows.push_back({"checkpoint settings", settings});
  rows.push_back({"directory", text_at(job, "directory")});
  if (const std::string why = text_at(job, "waiting_for"); !why.empty()) rows.push_back({"waits for", why});
  if (job.contains("failure")) {
    const CommandJson& failure = job["failure"];
    rows.push_back({"last failure", fmt::format("{} [{}] {}", time_text(number_at(failure, "at")),
                                                text_at(failure, "code"), text_at(failure, "message"))});
  }
  return rows;
}

std::string kind_of(const CommandJson& checkpoint) {
  if (checkpoint.value("savepoint", false)) return "savepoint";
  return checkpoint.value("unaligned", false) ? "unaligned" : "checkpoint";
}

TableRows settings_table(const CommandJson& body) {
  TableRows rows;
  for (const auto& [field, value] : body["settings"].items()) rows.push_back({field, value.get<std::string>()});
  return rows;
}

TableRows checkpoints_table(const CommandJson& body) {
  TableRows rows{{"ID", "KIND", "STATUS", "TRIGGERED (UTC)", "MS", "BYTES", "WRITTEN", "TASKS", "PATH"}};
  for (const CommandJson& one : body["recent"]) {
    const int64_t ended = number_at(one, "ended_at");
    rows.push_back({text_at(one, "id"), kind_of(one), text_at(one, "status"), time_text(number_at(one, "triggered_at")),
                    ended == 0 ? "-" : std::to_string(ended - number_at(one, "triggered_at")),
                    bytes_text(static_cast<double>(number_at(one, "bytes"))),
                    bytes_text(static_cast<double>(number_at(one, "written"))),
                    text_at(one, "acknowledged") + "/" + text_at(one, "tasks"),
                    text_at(one, "status") == "FAILED" ? text_at(one, "failure") : text_at(one, "path")});
  }
  return rows;
}

/// One GET, shown as a table or as it came.
int show(const ClusterCall& call, const std::string& target, TableRows (*table)(const CommandJson&)) {
  const auto body = call.client.get(target);
  if (!body) return body.error();
  print_result(call.format, *body, call.format == "table" ? table(CommandJson::parse(*body)) : TableRows{});
  return kExitDone;
}

/// An operation: its result as JSON or YAML, or one line of text.
int finish_operation(const ClusterCall& call, const std::string& target, const char* what) {
  const auto done = call.client.operate(call.arguments.words[0], target);
  if (!done) return done.error();
  const std::string path = text_at(CommandJson::parse(*done), "path");
  if (call.format != "table") {
    print_result(call.format, *done, {});
  } else if (!path.empty()) {
    std::printf("%s\n", path.c_str());
  } else {
    std::fprintf(stderr, "%s\n", what);
  }
  return kExitDone;
}

}  // namespace

int command_list(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("list", kListUsage, args, {{}, {}, 0, 0});
  return call ? show(*call, "/api/v1/jobs", jobs_table) : call.error();
}

int command_status(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("status", kStatusUsage, args, {{}, {}, 1, 1});
  if (!call) return call.error();
  const int shown = show(*call, job_target(call->arguments.words[0]), status_table);
  if (shown != kExitDone || call->format != "table") return shown;
  const auto steps = call->client.get(job_target(call->arguments.words[0], "/steps"));
  if (!steps) return steps.error();
  std::printf("\n%s", render_table(step_table(*steps)).c_str());
  return kExitDone;
}

int command_checkpoints(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("checkpoints", kCheckpointsUsage, args, {{}, {"--set"}, 1, 1});
  if (!call) return call.error();
  const std::string& job = call->arguments.words[0];
  std::string changes;
  for (const std::string& change : call->arguments.all("--set")) {
    const size_t equals = change.find('=');
    if (equals == std::string::npos || equals == 0) {
      std::fprintf(stderr, "error: --set needs field=value, as in --set interval=5s, not `%s`\n", change.c_str());
      return kExitInvalid;
    }
    changes += (changes.empty() ? "?" : "&") + escape_url(change.substr(0, equals)) + "=" +
               escape_url(change.substr(equals + 1));
  }
  if (changes.empty()) return show(*call, job_target(job, "/checkpoints"), checkpoints_table);
  const auto body = call->client.call("PATCH", job_target(job, "/checkpoint" + changes));
  if (!body) return body.error();
  print_result(call->format, *body, call->format == "table" ? settings_table(CommandJson::parse(*body)) : TableRows{});
  return kExitDone;
}

int command_cancel(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("cancel", kCancelUsage, args, {{"--now"}, {}, 1, 1});
  if (!call) return call.error();
  const std::string target =
      job_target(call->arguments.words[0], call->arguments.flag("--now") ? "/cancel?now=true" : "/cancel");
  const auto body = call->client.call("POST", target);
  if (!body) return body.error();
  if (call->format != "table") {
    print_result(call->format, *body, {});
  } else {
    std::fprintf(stderr, "job %s is being cancelled\n", call->arguments.words[0].c_str());
  }
  return kExitDone;
}

int command_stop(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("stop", kStopUsage, args, {{"--drain", "--no-savepoint"}, {"--directory"}, 1, 1});
  if (!call) return call.error();
  std::string target = job_target(call->arguments.words[0], "/stop?");
  if (call->arguments.flag("--drain")) target += "drain=true&";
  if (call->arguments.flag("--no-savepoint")) target += "savepoint=false&";
  target += "directory=" + escape_url(call->arguments.option("--directory"));
  return finish_operation(*call, target, "the job has stopped");
}

int command_savepoint(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("savepoint", kSavepointUsage, args, {{}, {"--directory"}, 1, 1});
  if (!call) return call.error();
  const std::string directory = escape_url(call->arguments.option("--directory"));
  return finish_operation(*call, job_target(call->arguments.words[0], "/savepoint?directory=" + directory), "done");
}

int command_rescale(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("rescale", kRescaleUsage, args, {{}, {}, 2, 2});
  if (!call) return call.error();
  const std::string parallelism = escape_url(call->arguments.words[1]);
  return finish_operation(*call, job_target(call->arguments.words[0], "/rescale?parallelism=" + parallelism),
                          "the job runs with the new parallelism");
}

int command_logs(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto call = begin("logs", kLogsUsage, args, {{}, {}, 1, 1});
  if (!call) return call.error();
  const auto body = call->client.get(job_target(call->arguments.words[0], "/events"));
  if (!body) return body.error();
  if (call->format != "table") {
    print_result(call->format, *body, {});
    return kExitDone;
  }
  const CommandJson events = CommandJson::parse(*body);
  for (const CommandJson& event : events["events"]) {
    std::printf("%s  %-10s  %s\n", utc_text(number_at(event, "at")).c_str(), text_at(event, "kind").c_str(),
                text_at(event, "text").c_str());
    if (const std::string help = text_at(event, "help"); !help.empty()) std::printf("   = help: %s\n", help.c_str());
  }
  return kExitDone;
}

}  // namespace millrace
