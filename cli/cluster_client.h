// What the commands against a running cluster share: where it is (--address, MILLRACE_ADDRESS), the token
// (MILLRACE_TOKEN), calls whose errors become sentences and exit codes, and waiting for operations.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/job_file.h"
#include "http/client.h"

namespace millrace {

// Exit codes of all commands.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitInvalid = 2;
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitRefusedByState = 4;

/// `rules` with what every cluster command takes: --address, --output.
ArgumentRules cluster_rules(ArgumentRules rules);

class ClusterClient {
 public:
  /// From --address and the environment.
  explicit ClusterClient(const Arguments& arguments);

  /// The body of a 2xx answer, which is JSON. Else the exit code, after the error was printed.
  [[nodiscard]] std::expected<std::string, int> call(std::string_view method, const std::string& target,
                                                     const JobFile& sent = {}) const;
  [[nodiscard]] std::expected<std::string, int> get(const std::string& target) const { return call("GET", target); }

  /// As call(), for what starts an operation: waits until it is done and answers its description.
  [[nodiscard]] std::expected<std::string, int> operate(const std::string& job, const std::string& target,
                                                        const JobFile& sent = {}) const;

  /// Prints why the server refused; answers the exit code.
  [[nodiscard]] int refused(const HttpResponse& response, const JobFile& sent = {}) const;
  /// One call, whatever its status; the exit code when there is no answer.
  [[nodiscard]] std::expected<HttpResponse, int> raw(std::string_view method, const std::string& target,
                                                     std::string body) const;
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  std::string address_;
  std::string token_;
};

/// "/api/v1/jobs/<job>" with the job's name escaped.
std::string job_target(std::string_view job, std::string_view rest = {});

/// Sleeps on the calling thread.
void pause_ms(int ms);

}  // namespace millrace
