// Flink's API: the cluster, its configuration and its task managers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "jobmanager/rest/flink_metrics.h"
#include "jobmanager/rest/flink_model.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using ClusterJson = nlohmann::ordered_json;

HttpResponse cluster_answer(const ClusterJson& body) {
  return {200, "application/json", body.dump(-1, ' ', false, ClusterJson::error_handler_t::replace)};
}

HttpResponse overview(const RestCall& call) {
  uint32_t total = 0;
  uint32_t free = 0;
  const auto managers = call.context.control->task_managers();
  for (const TaskManagerView& one : managers) {
    total += one.slots;
    free += one.slots_free;
  }
  uint32_t running = 0;
  std::map<std::string_view, uint32_t> ended;
  for (const JobView& job : call.context.control->jobs()) {
    if (is_terminal(job.state)) {
      ++ended[flink_job_state(job.state)];
    } else {
      ++running;
    }
  }
  return cluster_answer({{"taskmanagers", managers.size()},
                         {"taskmanagers-blocked", 0},
                         {"slots-total", total},
                         {"slots-available", free},
                         {"slots-free-and-blocked", 0},
                         {"jobs-running", running},
                         {"jobs-finished", ended["FINISHED"]},
                         {"jobs-cancelled", ended["CANCELED"]},
                         {"jobs-failed", ended["FAILED"]},
                         {"flink-version", kFlinkVersion},
                         {"flink-commit", "millrace-" + call.context.version}});
}

HttpResponse dashboard_config(const RestCall& call) {
  return cluster_answer(
      {{"refresh-interval", 3000},
       {"timezone-name", "UTC"},
       {"timezone-offset", 0},
       {"flink-version", kFlinkVersion},
       {"flink-revision", "millrace-" + call.context.version},
       {"features", {{"web-submit", false}, {"web-cancel", true}, {"web-rescale", false}, {"web-history", false}}}});
}

HttpResponse jobmanager_config(const RestCall& call) {
  ClusterJson all = ClusterJson::array();
  for (const auto& [key, value] : call.context.settings) all.push_back({{"key", key}, {"value", value}});
  return cluster_answer(all);
}

HttpResponse jobmanager_metrics(const RestCall& call) {
  FlinkMetricList list;
  uint32_t total = 0;
  uint32_t free = 0;
  const auto managers = call.context.control->task_managers();
  for (const TaskManagerView& one : managers) {
    total += one.slots;
    free += one.slots_free;
  }
  double running = 0;
  for (const JobView& job : call.context.control->jobs()) running += is_terminal(job.state) ? 0 : 1;
  list.add("taskSlotsTotal", total);
  list.add("taskSlotsAvailable", free);
  list.add("numRegisteredTaskManagers", static_cast<double>(managers.size()));
  list.add("numRunningJobs", running);
  return list.answer(call);
}

ClusterJson resource_json(uint64_t memory_bytes, double cores) {
  const uint64_t mib = memory_bytes >> 20;
  return {{"cpuCores", cores},  {"taskHeapMemory", mib}, {"taskOffHeapMemory", 0},
          {"managedMemory", 0}, {"networkMemory", 0},    {"extendedResources", ClusterJson::object()}};
}

ClusterJson memory_json(const TaskManagerView& one) {
  const ClusterJson none = 0;
  return {{"frameworkHeap", none},
          {"taskHeap", one.memory_bytes},
          {"frameworkOffHeap", none},
          {"taskOffHeap", none},
          {"networkMemory", none},
          {"managedMemory", none},
          {"jvmMetaspace", none},
          {"jvmOverhead", none},
          {"totalFlinkMemory", one.memory_bytes},
          {"totalProcessMemory", one.memory_bytes}};
}

int64_t port_of(const std::string& address) {
  const auto parsed = parse_address(address);
  return parsed ? parsed->second : -1;
}

ClusterJson manager_json(const TaskManagerView& one) {
  return {{"id", one.id},
          {"path", one.address},
          {"dataPort", port_of(one.data_address)},
          {"jmxPort", -1},
          {"timeSinceLastHeartbeat", one.last_heartbeat_ms},
          {"slotsNumber", one.slots},
          {"freeSlots", one.slots_free},
          {"blocked", false},
          {"totalResource", resource_json(one.memory_bytes, one.slots)},
          {"freeResource",
           resource_json(one.slots == 0 ? 0 : one.memory_bytes / one.slots * one.slots_free, one.slots_free)},
          {"hardware",
           {{"cpuCores", one.slots},
            {"physicalMemory", one.memory_bytes},
            {"freeMemory", one.memory_bytes},
            {"managedMemory", 0}}},
          {"memoryConfiguration", memory_json(one)}};
}

HttpResponse task_managers(const RestCall& call) {
  ClusterJson all = ClusterJson::array();
  for (const TaskManagerView& one : call.context.control->task_managers()) all.push_back(manager_json(one));
  return cluster_answer({{"taskmanagers", all}});
}

HttpResponse task_manager(const RestCall& call) {
  for (const TaskManagerView& one : call.context.control->task_managers()) {
    if (one.id != call.segment("taskmanager")) continue;
    ClusterJson body = manager_json(one);
    ClusterJson slots = ClusterJson::array();
    for (const std::string& job : one.jobs) slots.push_back({{"jobId", job}, {"resource", resource_json(0, 1)}});
    body["allocatedSlots"] = slots;
    ClusterJson metrics{{"heapMax", one.memory_bytes}, {"garbageCollectors", ClusterJson::array()}};
    for (const char* name :
         {"heapUsed", "heapCommitted", "nonHeapUsed", "nonHeapCommitted", "nonHeapMax", "directCount", "directUsed",
          "directMax", "mappedCount", "mappedUsed", "mappedMax", "nettyShuffleMemorySegmentsAvailable",
          "nettyShuffleMemorySegmentsUsed", "nettyShuffleMemorySegmentsTotal", "nettyShuffleMemoryAvailable",
          "nettyShuffleMemoryUsed", "nettyShuffleMemoryTotal"}) {
      metrics[name] = 0;
    }
    body["metrics"] = metrics;
    return cluster_answer(body);
  }
  return rest_error(404, "TaskExecutor with id " + call.segment("taskmanager") + " not found");
}

HttpResponse task_manager_metrics(const RestCall& call) {
  FlinkMetricList list;
  for (const TaskManagerView& one : call.context.control->task_managers()) {
    list.add("Status.JVM.Memory.Heap.Max", static_cast<double>(one.memory_bytes));
    const uint32_t used = one.slots - one.slots_free;
    list.add("Status.JVM.Memory.Heap.Used",
             one.slots == 0 ? 0 : static_cast<double>(one.memory_bytes) * used / one.slots);
  }
  return list.answer(call, true);
}

}  // namespace

std::vector<Route> flink_cluster_routes(const std::string& prefix) {
  const std::vector<std::string> get{"get", "agg", "taskmanagers"};
  return {
      {"GET", prefix + "/overview", "Flink: task managers, slots and jobs", overview},
      {"GET", prefix + "/config", "Flink: the dashboard's configuration", dashboard_config},
      {"GET", prefix + "/jobmanager/config", "Flink: the job manager's configuration", jobmanager_config},
      {"GET", prefix + "/jobmanager/metrics", "Flink: the job manager's metrics", jobmanager_metrics, get},
      {"GET", prefix + "/taskmanagers", "Flink: task managers", task_managers},
      {"GET", prefix + "/taskmanagers/metrics", "Flink: metrics over all task managers", task_manager_metrics, get},
      {"GET", prefix + "/taskmanagers/:taskmanager", "Flink: one task manager", task_manager},
  };
}

}  // namespace millrace
