#include "cli/doctor.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/job_file.h"
#include "cli/usage.h"
#include "http/client.h"

namespace millrace {
namespace {

constexpr int kDoctorFailed = 1;
constexpr int kDoctorUnreachable = 3;

int show_findings(const std::string& body, bool as_json) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.contains("findings")) {
    std::fprintf(stderr, "error: the server's answer is not understood: %s\n", body.c_str());
    return kDoctorFailed;
  }
  if (as_json) {
    std::printf("%s\n", json.dump().c_str());
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
  const auto parsed = parse_arguments(args, {{}, {"--address", "--output"}, 1, 2});
  if (!parsed) {
    return usage_error("doctor", parsed.error(), kDoctorUsage);
  }
  const char* environment = std::getenv("MILLRACE_ADDRESS");
  const std::string address =
      parsed->option("--address", environment == nullptr ? "http://localhost:8081" : environment);
  std::string target = "/api/v1/jobs/" + escape_url(parsed->words[0]) + "/doctor";
  if (parsed->words.size() > 1) target += "?step=" + escape_url(parsed->words[1]);
  const auto answer = http_get(address, target);
  if (!answer) {
    std::fprintf(stderr, "error[%s]: %s\n", std::string(answer.error().info().code).c_str(),
                 answer.error().message.c_str());
    return kDoctorUnreachable;
  }
  if (answer->status == 404 && answer->body.find("nothing at") != std::string::npos) {
    std::fprintf(stderr,
                 "error: no job `%s` runs at %s\n   = help: its name or id; `millrace run` prints the address\n",
                 parsed->words[0].c_str(), address.c_str());
    return kDoctorFailed;
  }
  if (answer->status != 200) {
    std::fprintf(stderr, "error: %s answered %d: %s\n", address.c_str(), answer->status, answer->body.c_str());
    return kDoctorFailed;
  }
  return show_findings(answer->body, parsed->option("--output", "table") == "json");
}

}  // namespace millrace
