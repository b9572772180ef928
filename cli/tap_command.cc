#include "cli/tap_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/usage.h"

namespace millrace {

namespace {

using TapJson = nlohmann::ordered_json;
constexpr int kPollMs = 100;
constexpr int kPolls = 600;  // a tap lasts a minute

/// -1: not a number of rows.
int rows_of(const std::string& text) {
  int rows = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || rows > 1000) return -1;
    rows = rows * 10 + (c - '0');
  }
  return rows >= 1 && rows <= 1000 ? rows : -1;
}

/// Prints rows as they come, until there are `limit` or the tap is over.
int print_rows(const ClusterClient& client, const std::string& target, size_t limit) {
  size_t printed = 0;
  for (int poll = 0; poll < kPolls; ++poll) {
    const auto body = client.get(target);
    if (!body) return body.error();
    const TapJson rows = TapJson::parse(*body).at("rows");
    for (; printed < rows.size() && printed < limit; ++printed) std::printf("%s\n", rows[printed].dump().c_str());
    std::fflush(stdout);
    if (printed == limit) return kExitDone;
    pause_ms(kPollMs);
  }
  std::fprintf(stderr, "only %zu rows left the step within a minute\n", printed);
  return kExitDone;
}

}  // namespace

int command_tap(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto arguments = parse_arguments(args, cluster_rules({{}, {"--limit"}, 2, 2}));
  if (!arguments) return usage_error("tap", arguments.error(), kTapUsage);
  const int limit = rows_of(arguments->option("--limit", "10"));
  if (limit < 0) return usage_error("tap", "--limit takes a number from 1 to 1000", kTapUsage);
  const ClusterClient client(*arguments);
  const std::string job = arguments->words[0];
  const auto begun = client.call(
      "POST", job_target(job, "/tap?step=" + escape_url(arguments->words[1]) + "&limit=" + std::to_string(limit)));
  if (!begun) return begun.error();
  const std::string tap = TapJson::parse(*begun).at("tap_id").get<std::string>();
  return print_rows(client, job_target(job, "/taps/" + tap), static_cast<size_t>(limit));
}

}  // namespace millrace
