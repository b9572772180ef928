#include "cli/cluster_client.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/job_file.h"
#include "core/environment.h"
#include "core/waker.h"
#include "plan/render_diagnostics.h"

namespace millrace {

namespace {

using ClientJson = nlohmann::json;
constexpr int kPollMs = 100;
constexpr int64_t kCallTimeoutMs = 30'000;

std::string member(const ClientJson& body, const char* name) {
  return body.is_object() && body.contains(name) && body[name].is_string() ? body[name].get<std::string>() : "";
}

ErrorCode code_named(const std::string& name) {
  const ErrorInfo* info = find_error_info(name);
  if (info == nullptr) return ErrorCode::kInternal;
  uint16_t code = 0;
  while (&error_info(static_cast<ErrorCode>(code)) != info) ++code;
  return static_cast<ErrorCode>(code);
}

/// The mistakes of the file that was sent, as `validate` prints them.
void print_server_diagnostics(const ClientJson& body, const JobFile& sent) {
  Diagnostics diagnostics;
  for (const ClientJson& one : body["diagnostics"]) {
    const Position at{one.value("line", 0), one.value("column", 0)};
    const bool warning = member(one, "severity") == "warning";
    diagnostics.add({warning ? Severity::kWarning : Severity::kError, code_named(member(one, "code")),
                     member(one, "message"), member(one, "help"), at, one.value("length", 1), ""});
  }
  std::fputs(render_text(diagnostics, {sent.path, sent.text}, color_wanted(2)).c_str(), stderr);
}

int exit_code_of_status(int status) {
  if (status == 400) return kExitInvalid;
  return status == 409 ? kExitRefusedByState : kExitFailed;
}

}  // namespace

ArgumentRules cluster_rules(ArgumentRules rules) {
  rules.options.insert({"--address", "--output"});
  return rules;
}

std::string job_target(std::string_view job, std::string_view rest) {
  return fmt::format("/api/v1/jobs/{}{}", escape_url(job), rest);
}

void pause_ms(int ms) {
  Waker never;
  never.wait(ms);
}

ClusterClient::ClusterClient(const Arguments& arguments)
    : address_(
          arguments.option("--address", environment_variable("MILLRACE_ADDRESS").value_or("http://localhost:8081"))),
      token_(environment_variable("MILLRACE_TOKEN").value_or("")) {}

std::expected<HttpResponse, int> ClusterClient::raw(std::string_view method, const std::string& target,
                                                    std::string body) const {
  HttpCall call;
  call.address = address_;
  call.method = method;
  call.target = target;
  call.body = std::move(body);
  call.content_type = "application/yaml";
  call.bearer_token = token_;
  call.timeout_ms = kCallTimeoutMs;
  auto answer = http_call(call);
  if (!answer) return std::unexpected(operation_error(answer.error()) == 3 ? kExitUnreachable : kExitInvalid);
  return std::move(*answer);
}

int ClusterClient::refused(const HttpResponse& response, const JobFile& sent) const {
  const ClientJson body = ClientJson::parse(response.body, nullptr, false);
  const std::string message = member(body, "error");
  if (body.is_object() && body.contains("diagnostics")) print_server_diagnostics(body, sent);
  if (message.empty()) {
    std::fprintf(stderr, "error: %s answered %d: %s\n", address_.c_str(), response.status, response.body.c_str());
  } else {
    const std::string code = member(body, "code");
    std::fprintf(stderr, "error%s: %s\n", code.empty() ? "" : ("[" + code + "]").c_str(), message.c_str());
  }
  if (response.status == 401) {
    std::fprintf(stderr, "   = help: put a token of the server's `rest.token_file` into MILLRACE_TOKEN\n");
  } else if (const std::string help = member(body, "help"); !help.empty()) {
    std::fprintf(stderr, "   = help: %s\n", help.c_str());
  }
  // The same name with another file is no question of state for whoever submits: `upgrade` is the command for it.
  if (body.is_object() && body.contains("job_id")) return kExitFailed;
  return exit_code_of_status(response.status);
}

std::expected<std::string, int> ClusterClient::call(std::string_view method, const std::string& target,
                                                    const JobFile& sent) const {
  auto answer = raw(method, target, sent.text);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status < 200 || answer->status > 299) return std::unexpected(refused(*answer, sent));
  if (answer->content_type.starts_with("application/json") && !ClientJson::accept(answer->body)) {
    std::fprintf(stderr, "error: the answer of %s is not understood: %s\n", address_.c_str(), answer->body.c_str());
    return std::unexpected(kExitFailed);
  }
  return std::move(answer->body);
}

std::expected<std::string, int> ClusterClient::operate(const std::string& job, const std::string& target,
                                                       const JobFile& sent) const {
  const auto asked = call("POST", target, sent);
  if (!asked) return asked;
  const std::string trigger = member(ClientJson::parse(*asked), "trigger_id");
  for (;;) {
    auto state = get(job_target(job, "/operations/" + escape_url(trigger)));
    if (!state) return state;
    const ClientJson operation = ClientJson::parse(*state);
    if (!operation.value("done", false)) {
      pause_ms(kPollMs);
      continue;
    }
    if (!operation.contains("failure")) return state;
    const ClientJson& failure = operation["failure"];
    const std::string code = member(failure, "code");
    std::fprintf(stderr, "error[%s]: %s\n", code.c_str(), member(failure, "message").c_str());
    if (const std::string help = member(failure, "help"); !help.empty()) {
      std::fprintf(stderr, "   = help: %s\n", help.c_str());
    }
    return std::unexpected(code.starts_with("E04") ? kExitRefusedByState : kExitFailed);
  }
}

}  // namespace millrace
