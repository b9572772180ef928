#include "cli/doctor.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/result_output.h"
#include "cli/usage.h"

namespace millrace {
namespace {

int show_findings(const std::string& body, const std::string& format) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.contains("findings")) {
    std::fprintf(stderr, "error: the server's answer is not understood: %s\n", body.c_str());
    return kExitFailed;
  }
  if (format != "table") {
    print_result(format, body, {});
    return 0;
  }
  for (const auto& finding : json["findings"]) {
    std::printf("%s\n", finding.value("text", "").c_str());
    const std::string help = finding.value("help", "");
    if (!help.empty()) std::printf("   = help: %s\n", help.c_str());
  }
  return 0;
}

}  // namespace

int command_doctor(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto parsed = parse_arguments(args, cluster_rules({{}, {}, 1, 2}));
  if (!parsed) return usage_error("doctor", parsed.error(), kDoctorUsage);
  const ClusterClient client(*parsed);
  std::string target = job_target(parsed->words[0], "/doctor");
  if (parsed->words.size() > 1) target += "?step=" + escape_url(parsed->words[1]);
  const auto answer = client.raw("GET", target, "");
  if (!answer) return answer.error();
  if (answer->status == 404 && answer->body.find("no job") != std::string::npos) {
    std::fprintf(stderr, "error: no job `%s` runs at %s\n   = help: its name or id; `millrace list` shows the jobs\n",
                 parsed->words[0].c_str(), client.address().c_str());
    return kExitFailed;
  }
  if (answer->status != 200) return client.refused(*answer);
  return show_findings(answer->body, parsed->option("--output", "table"));
}

}  // namespace millrace
