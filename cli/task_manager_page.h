// The pages of a task manager: /healthz, /readyz and /metrics, the latter also under Flink's names. Called on the HTTP
// server's thread only.
#pragma once

#include <string>

#include "core/metrics.h"
#include "http/server.h"
#include "jobmanager/rest/step_numbers.h"

namespace millrace {

struct TaskManagerPage {
  const MetricRegistry* metrics = nullptr;
  std::string id;      // of the task manager
  RateWindow rates{};  // of names=flink

  HttpResponse answer(const HttpRequest& request, bool registered);

 private:
  HttpResponse metrics_page(const HttpRequest& request);
};

}  // namespace millrace
