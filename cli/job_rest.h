// The HTTP answers of one running job: /healthz, /readyz, /metrics, /api/v1/jobs /api/v1/jobs/<id> and
// /api/v1/jobs/<id>/doctor.
#pragma once

#include <functional>
#include <memory>

#include "core/metrics.h"
#include "http/server.h"
#include "jobmanager/job_view.h"
#include "plan/job_graph.h"

namespace millrace {

/// `view` is called on the server's thread.
HttpServer::Handler job_rest_handler(std::function<JobView()> view, const MetricRegistry& metrics,
                                     std::shared_ptr<const JobGraph> graph);

}  // namespace millrace
