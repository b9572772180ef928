// The REST interface of a job manager as one handler: /api/v1, the subset of Flink's API under / and /v1, health and
// metrics. Called on the HTTP server's thread only; JobControl is safe there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "http/server.h"
#include "jobmanager/job_control.h"
#include "jobmanager/rest/access.h"
#include "jobmanager/rest/state_query.h"
#include "plan/registry.h"

namespace millrace {

class RateWindow;
struct Route;

struct RestConfig {
  JobControl* control = nullptr;
  const PlanRegistry* registry = nullptr;
  Clock* clock = nullptr;
  std::function<std::optional<std::string>(const std::string&)> environment;  // ${…} of submitted files
  std::string version;
  std::vector<std::pair<std::string, std::string>> settings;  // of the process, shown by /jobmanager/config
  RestAccess access;
  /// What /readyz answers: whether, and why. Empty: always ready.
  std::function<std::pair<bool, std::string>()> ready;
  std::function<Result<std::string>(const StateQuery&)> read_state;  // the body of /state, as JSON
};

/// What functions of routes see.
struct RestContext : RestConfig {
  std::shared_ptr<RateWindow> rates;         // of /steps and Flink's vertices
  std::shared_ptr<RateWindow> scrape_rates;  // of /metrics?names=flink, which sees this process's series only
  const std::vector<Route>* routes = nullptr;
};

HttpServer::Handler rest_handler(RestConfig config);

}  // namespace millrace
