#include "jobmanager/rest/rest_api.h"

#include "jobmanager/rest/route_table.h"
#include "jobmanager/rest/routes.h"
#include "jobmanager/rest/step_numbers.h"

namespace millrace {

HttpServer::Handler rest_handler(RestConfig config) {
  auto table = std::make_shared<RouteTable>();
  table->add(root_routes());
  table->add(job_routes());
  table->add(event_routes());
  table->add(state_routes());
  table->add(submit_routes());
  table->add(verb_routes());
  for (const char* prefix : {"", "/v1"}) {
    table->add(flink_cluster_routes(prefix));
    table->add(flink_job_routes(prefix));
    table->add(flink_checkpoint_routes(prefix));
    table->add(flink_vertex_routes(prefix));
    table->add(flink_verb_routes(prefix));
  }
  auto context = std::make_shared<RestContext>(
      RestContext{std::move(config), std::make_shared<RateWindow>(), std::make_shared<RateWindow>(), &table->routes()});
  return [table, context](const HttpRequest& request) {
    if (auto refused = refuse_access(request, context->access)) return *refused;
    return table->answer(request, *context);
  };
}

}  // namespace millrace
