// The tables of routes, one per file of functions. `prefix`: "" or "/v1", under which Flink's clients look.
#pragma once

#include <string>
#include <vector>

#include "jobmanager/rest/route_table.h"

namespace millrace {

std::vector<Route> root_routes();    // health, metrics, discovery, descriptions
std::vector<Route> job_routes();     // /api/v1: reading jobs and task managers
std::vector<Route> event_routes();   // /api/v1: what happened to a job, and as it happens
std::vector<Route> submit_routes();  // /api/v1: job files in
std::vector<Route> state_routes();   // /api/v1: named state of checkpoints
std::vector<Route> verb_routes();    // /api/v1: cancel, stop, savepoint, …

std::vector<Route> flink_cluster_routes(const std::string& prefix);
std::vector<Route> flink_job_routes(const std::string& prefix);
std::vector<Route> flink_checkpoint_routes(const std::string& prefix);
std::vector<Route> flink_vertex_routes(const std::string& prefix);
std::vector<Route> flink_verb_routes(const std::string& prefix);

}  // namespace millrace
