// The HTTP answers of one running job: /healthz, /readyz, /metrics, /api/v1/jobs and /api/v1/jobs/<id>.
#pragma once

#include <functional>

#include "core/metrics.h"
#include "http/server.h"
#include "jobmanager/job_view.h"

namespace millrace {

/// `view` is called on the server's thread.
HttpServer::Handler job_rest_handler(std::function<JobView()> view, const MetricRegistry& metrics);

}  // namespace millrace
