#include "jobmanager/rest/rest_api.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/jobmanager/fake_control.h"

namespace millrace {
namespace {

using RestJson = nlohmann::json;

RestJson body_of(const HttpResponse& response, int status) {
  INFO(response.body);
  CHECK(response.status == status);
  RestJson body = RestJson::parse(response.body, nullptr, false);
  REQUIRE_FALSE(body.is_discarded());
  return body;
}

std::string other_job(const std::string& name) {
  std::string yaml(kFakeJobYaml);
  return yaml.replace(yaml.find("fraud"), 5, name);
}

}  // namespace

TEST_CASE("jobs are found by id and by name") {
  FakeRest rest;
  CHECK(body_of(rest.call("GET", "/api/v1/jobs"), 200)["jobs"][0]["name"] == "fraud");
  CHECK(body_of(rest.call("GET", "/api/v1/jobs/fraud"), 200)["id"] == kFakeJobId);
  CHECK(body_of(rest.call("GET", std::string("/api/v1/jobs/") + kFakeJobId), 200)["checkpoints"]["completed"] == 7);
  const RestJson missing = body_of(rest.call("GET", "/api/v1/jobs/nope"), 404);
  CHECK(missing["code"] == "E0505");
  CHECK(missing["errors"][0] == missing["error"]);
}

TEST_CASE("what is not there, not allowed or not understood is answered as JSON") {
  FakeRest rest;
  CHECK(body_of(rest.call("GET", "/api/v2/jobs"), 404)["help"].get<std::string>().find("/openapi.json") !=
        std::string::npos);
  CHECK(body_of(rest.call("PUT", "/api/v1/jobs"), 405)["error"] == "/api/v1/jobs answers GET, POST only");
  body_of(rest.call("GET", "/api/v1/jobs/..%2f..%2fetc"), 404);
  CHECK(body_of(rest.call("GET", "/api/v1/jobs/.."), 400)["error"] == "`..` is not a job id or name");
  CHECK(body_of(rest.call("GET", "/api/v1/jobs/a%20b"), 400)["error"] == "`a b` is not a job id or name");
  CHECK(body_of(rest.call("POST", "/api/v1/jobs?fersh=true", other_job("new")), 400)["help"] ==
        "did you mean `fresh`?");
}

TEST_CASE("a submitted file starts with its parameters and settings") {
  FakeRest rest;
  const RestJson done =
      body_of(rest.call("POST", "/api/v1/jobs?fresh=true&set.settings.parallelism=5", other_job("new")), 201);
  CHECK(done["job_id"] == std::string(32, 'a'));
  CHECK(done["existed"] == false);
  CHECK(rest.control.asked == std::vector<std::string>{"submit new fresh parallelism=5"});
  CHECK(body_of(rest.call("POST", "/api/v1/jobs", other_job("same")), 200)["existed"] == true);
}

TEST_CASE("mistakes of a submitted file come with line and column, and nothing starts") {
  FakeRest rest;
  std::string yaml = other_job("new");
  yaml.replace(yaml.find("filter: is_dear"), 15, "filter: is_daer");
  const RestJson refused = body_of(rest.call("POST", "/api/v1/jobs", yaml), 400);
  CHECK(refused["error"] == "the job file has 1 mistake");
  CHECK(refused["diagnostics"][0]["line"] == 12);
  CHECK(refused["diagnostics"][0]["column"] == 24);
  CHECK(refused["diagnostics"][0]["code"] == "E0203");
  CHECK(rest.control.asked.empty());
  const RestJson checked = body_of(rest.call("POST", "/api/v1/validate", yaml), 200);
  CHECK(checked["valid"] == false);
  CHECK(checked["diagnostics"] == refused["diagnostics"]);
}

TEST_CASE("a dry run answers the plan and starts nothing") {
  FakeRest rest;
  const RestJson plan = body_of(rest.call("POST", "/api/v1/jobs?dry_run=true", other_job("new")), 200);
  CHECK(plan["plan"].is_object());
  CHECK(plan["name"] == "new");
  CHECK(rest.control.asked.empty());
}

TEST_CASE("another file under a running job's name is refused with that job's id") {
  FakeRest rest;
  const RestJson refused = body_of(rest.call("POST", "/api/v1/jobs", std::string(kFakeJobYaml)), 409);
  CHECK(refused["job_id"] == kFakeJobId);
  CHECK(refused["help"].get<std::string>().find("upgrade") != std::string::npos);
  CHECK(body_of(rest.call("POST", "/api/v1/jobs?fresh=true&fork=x", other_job("n")), 400)["error"] ==
        "restore, fork and fresh exclude each other");
}

TEST_CASE("verbs reach the job and answer a trigger that is polled") {
  FakeRest rest;
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/savepoint?directory=/s"), 202)["trigger_id"] == kFakeTrigger);
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/stop?drain=true"), 202)["kind"] == "stop");
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/stop?savepoint=false"), 202)["kind"] == "stop");
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/checkpoint"), 202)["kind"] == "checkpoint");
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/rescale?parallelism=3"), 202)["kind"] == "rescale");
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/upgrade", std::string(kFakeJobYaml)), 202)["kind"] == "upgrade");
  body_of(rest.call("DELETE", "/api/v1/jobs/fraud?now=true"), 202);
  CHECK(rest.control.asked == std::vector<std::string>{"savepoint /s ", "stop   drain savepoint", "stop  ",
                                                       "checkpoint", "rescale 3",
                                                       std::string("upgrade ") + kFakeJobId + " fraud",
                                                       std::string("cancel ") + kFakeJobId + " now"});
  const std::string poll = std::string("/api/v1/jobs/fraud/operations/") + kFakeTrigger;
  CHECK(body_of(rest.call("GET", poll), 200)["done"] == false);
  rest.control.operation_view.done = true;
  rest.control.operation_view.path = "/s/1";
  CHECK(body_of(rest.call("GET", poll), 200)["path"] == "/s/1");
  CHECK(body_of(rest.call("GET", "/api/v1/jobs/fraud/operations/x"), 404)["code"] == "E0505");
}

TEST_CASE("verbs that cannot be are refused") {
  FakeRest rest;
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/rescale?parallelism=0"), 400).contains("error"));
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/rescale"), 400).contains("error"));
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/nope/stop"), 404).contains("error"));
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/upgrade", other_job("new")), 400)["error"] ==
        "the file is of job `new`, not of `fraud`");
  rest.control.views[0].state = JobState::kFinished;
  CHECK(body_of(rest.call("POST", "/api/v1/jobs/fraud/cancel"), 409)["code"] == "E0406");
}

TEST_CASE("steps tell totals, rates and the slowest watermark") {
  FakeRest rest;
  for (const uint32_t subtask : {0u, 1u}) {
    rest.control.put("millrace_step_records_in_total", "dear", subtask, 600);
    rest.control.put("millrace_step_time_seconds_total", "dear", subtask, 30, {{"state", "busy"}});
    rest.control.put("millrace_step_watermark_timestamp_seconds", "dear", subtask, 100 + subtask);
  }
  const auto dear = [&] {
    const RestJson body = body_of(rest.call("GET", "/api/v1/jobs/fraud/steps"), 200);
    for (const RestJson& one : body["steps"]) {
      if (one["step"] == "dear") return one;
    }
    return RestJson();
  };
  RestJson step = dear();
  CHECK(step["records_in"] == 1200);
  CHECK(step["records_in_per_second"] == 20);  // since the start
  CHECK(step["busy_ratio_max"] == 0.5);
  CHECK(step["watermark_seconds"] == 100);
  rest.clock.advance_ms(2000);
  rest.control.series[0].value += 100;
  step = dear();
  CHECK(step["records_in_per_second"] == 50);  // since the look before
  CHECK(step["busy_ratio_max"] == 0);
}

TEST_CASE("events are told in order") {
  FakeRest rest;
  std::string text;
  const RestJson body = body_of(rest.call("GET", "/api/v1/jobs/fraud/events"), 200);
  for (const RestJson& one : body["events"]) {
    text += one["kind"].get<std::string>() + " " + one["text"].get<std::string>() + "\n";
  }
  CHECK(text ==
        "state CREATED\nstate RUNNING\nfailure step `per_auction`: division by zero\ncheckpoint savepoint 7 "
        "completed\ncheckpoint checkpoint 8 failed: timeout\ncheckpoint checkpoint 9 completed\n");
}

TEST_CASE("the pages of the root: health, metrics, discovery, descriptions") {
  FakeRest rest;
  CHECK(body_of(rest.call("GET", "/healthz"), 200)["status"] == "ok");
  CHECK(rest.call("GET", "/readyz").status == 200);
  const std::string metrics = rest.call("GET", "/metrics").body;
  CHECK(metrics.find("millrace_taskmanager_slots{state=\"free\"} 1\n") != std::string::npos);
  CHECK(metrics.find("millrace_build_info{version=\"1.0\"} 1\n") != std::string::npos);
  const RestJson targets = body_of(rest.call("GET", "/prometheus/targets"), 200);
  CHECK(targets[0]["targets"][0] == "localhost:8081");
  CHECK(targets[1]["targets"][0] == "10.0.0.1:40002");
  CHECK(body_of(rest.call("GET", "/schemas/job.v1.json"), 200).contains("$schema"));
  CHECK(body_of(rest.call("GET", "/metrics?names=x"), 400).contains("error"));
}

TEST_CASE("every route is described, and every described path answers JSON for an unknown job") {
  FakeRest rest;
  const RestJson api = body_of(rest.call("GET", "/openapi.json"), 200);
  CHECK(api["openapi"] == "3.0.3");
  size_t operations = 0;
  for (const auto& [path, methods] : api["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      ++operations;
      CHECK_FALSE(operation["summary"].get<std::string>().empty());
      if (path.find("{job}") == std::string::npos) continue;
      std::string target = path;
      for (size_t at = 0; (at = target.find('{')) != std::string::npos;) {
        target.replace(at, target.find('}') - at + 1, std::string(32, 'b'));
      }
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      INFO(upper << " " << target);
      const HttpResponse response = rest.call(upper, target, upper == "POST" ? "{}" : "");
      CHECK((response.status == 404 || response.status == 400));
      CHECK(RestJson::parse(response.body)["errors"].is_array());
    }
  }
  CHECK(operations > 70);
}

TEST_CASE("a page of another site and a caller without a token are refused") {
  FakeRest rest;
  CHECK(rest.call("GET", "/api/v1/jobs", "", {{"host", "evil.example:8081"}}).status == 421);
  CHECK(rest.call("GET", "/api/v1/jobs", "", {{"host", "[::1]:8081"}}).status == 200);
  CHECK(rest.call("POST", "/api/v1/jobs/fraud/cancel", "",
                  {{"host", "localhost:8081"}, {"origin", "http://evil.example"}})
            .status == 403);
  CHECK(rest.call("POST", "/api/v1/jobs/fraud/cancel", "",
                  {{"host", "localhost:8081"}, {"origin", "http://localhost:8081"}})
            .status == 202);
  HttpRequest request;
  request.method = "GET";
  request.path = "/metrics";
  RestAccess access;
  access.any_host = true;
  access.tokens = {"0123456789abcdef"};
  CHECK(refuse_access(request, access)->status == 401);
  request.headers["authorization"] = "Bearer 0123456789abcdeX";
  CHECK(refuse_access(request, access)->status == 401);
  request.headers["authorization"] = "Bearer 0123456789abcdef";
  CHECK_FALSE(refuse_access(request, access));
  request.headers.clear();
  request.path = "/healthz";
  CHECK_FALSE(refuse_access(request, access));
}

}  // namespace millrace
