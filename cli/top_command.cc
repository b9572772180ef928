#include "cli/top_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/run_options.h"
#include "cli/step_table.h"
#include "cli/usage.h"
#include "core/clock.h"

namespace millrace {

namespace {

using TopJson = nlohmann::json;

/// The whole picture as text: a line per job, its steps below.
std::expected<std::string, int> top_picture(const ClusterClient& client, const std::string& only) {
  const auto body = client.get(only.empty() ? "/api/v1/jobs" : job_target(only));
  if (!body) return std::unexpected(body.error());
  const TopJson parsed = TopJson::parse(*body);
  const TopJson jobs = only.empty() ? parsed["jobs"] : TopJson::array({parsed});
  std::string out = fmt::format("{}  {}\n", client.address(), time_text(system_clock().wall_ms()));
  for (const TopJson& job : jobs) {
    const TopJson& last = job["checkpoints"]["last"];
    out += fmt::format("\n{}  {}  restarts {}  checkpoint {} ({} ms)", job.value("name", ""), job.value("state", ""),
                       job.value("restarts", 0), last.value("id", 0), last.value("duration_ms", 0));
    if (const std::string why = job.value("waiting_for", ""); !why.empty()) out += "  waits: " + why;
    out += "\n";
    if (job.value("ended_at", int64_t{0}) > 0) continue;
    const auto steps = client.get(job_target(job.value("id", ""), "/steps"));
    if (!steps) return std::unexpected(steps.error());
    out += render_table(step_table(*steps));
  }
  return out;
}

}  // namespace

int command_top(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto parsed = parse_arguments(args, {{"--once"}, {"--address", "--interval"}, 0, 1});
  if (!parsed) return usage_error("top", parsed.error(), kTopUsage);
  const auto interval = parse_duration_argument(parsed->option("--interval", "1s"));
  if (!interval || *interval < 100) return usage_error("top", "--interval needs a duration from 100ms", kTopUsage);
  const ClusterClient client(*parsed);
  const bool once = parsed->flag("--once") || isatty(STDOUT_FILENO) == 0;
  for (;;) {
    const auto picture = top_picture(client, parsed->words.empty() ? "" : parsed->words[0]);
    if (!picture) return picture.error();
    if (!once) std::fputs("\x1b[H\x1b[2J", stdout);  // home, clear
    std::fputs(picture->c_str(), stdout);
    std::fflush(stdout);
    if (once) return kExitDone;
    pause_ms(static_cast<int>(*interval));
  }
}

}  // namespace millrace
