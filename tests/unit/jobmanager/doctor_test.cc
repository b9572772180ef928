#include "jobmanager/doctor.h"

#include <catch2/catch.hpp>

namespace millrace {
namespace {

/// clicks -> buys (filter) -> per_user (window) -> out.
struct DoctorRig {
  DoctorRig() {
    auto source = std::make_shared<SourceConfig>();
    source->event_time.column = 0;
    graph.nodes.resize(4);
    const char* ids[] = {"clicks", "buys", "per_user", "out"};
    for (uint32_t i = 0; i < 4; ++i) {
      graph.nodes[i].id = ids[i];
      if (i > 0) graph.nodes[i].inputs = {{i - 1, 0, Partitioning::kForward, {}}};
    }
    graph.nodes[0].kind = NodeKind::kSource;
    graph.nodes[0].source = source;
    graph.nodes[1].type = "filter";
    graph.nodes[2].type = "window";
    graph.nodes[2].stateful = true;
    graph.nodes[2].delay_ms = 60'000;
    graph.nodes[3].kind = NodeKind::kSink;
    view.state = JobState::kRunning;
  }
  void put(const std::string& name, const std::string& step, double value, Labels more = {}) {
    more.emplace_back("step", step);
    samples.push_back({name, "", MetricKind::kGauge, std::move(more), value});
  }
  void rows(const std::string& step, double in, double out) {
    put("millrace_step_records_in_total", step, in);
    put("millrace_step_records_out_total", step, out);
  }
  void split(const std::string& name, double watermark, bool at_end, bool idle = false) {
    put("millrace_source_split_watermark_timestamp_seconds", "clicks", watermark, {{"split", name}});
    put("millrace_source_split_at_end", "clicks", at_end ? 1 : 0, {{"split", name}});
    put("millrace_source_split_idle", "clicks", idle ? 1 : 0, {{"split", name}});
  }
  std::vector<std::string> findings(const std::string& step = {}) const {
    std::vector<std::string> texts;
    for (const auto& one : diagnose_job(graph, samples, view, step, 2'000'000))
      texts.push_back(one.kind + ": " + one.text);
    return texts;
  }
  JobGraph graph;
  JobView view;
  std::vector<MetricSample> samples;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the doctor names the partition that holds a silent window") {
  DoctorRig rig;
  rig.rows("clicks", 100, 100);
  rig.rows("buys", 100, 50);
  rig.rows("per_user", 50, 0);
  rig.rows("out", 0, 0);
  rig.put("millrace_step_watermark_timestamp_seconds", "clicks", 1000);
  rig.put("millrace_step_watermark_timestamp_seconds", "buys", 1000);
  rig.split("clicks/0", 1900, false);
  rig.split("clicks/1", 1000, true);
  rig.split("clicks/2", 10, true, true);
  CHECK(
      rig.findings() ==
      Texts{"held_watermark: `clicks`: the partition `clicks/1` holds the watermark at 1000000 (ms since the epoch), "
            "900.0 s behind `clicks/0`; it has delivered all it has",
            "held_watermark: `per_user` has taken 50 rows and emitted none; its input `buys` has the watermark 1000000 "
            "(ms since the epoch), 1000.0 s behind the clock; a row waits 60000 ms of event time here"});
  CHECK(diagnose_job(rig.graph, rig.samples, rig.view, "clicks", 0)[0].help ==
        "`idle_timeout: 30s` in its event_time lets a silent partition not count");
}

TEST_CASE("the doctor names a filter that drops all, and only what the step reads") {
  DoctorRig rig;
  rig.rows("clicks", 100, 100);
  rig.rows("buys", 100, 0);
  CHECK(rig.findings("per_user") == Texts{"drops_all: the filter `buys` has dropped all of 100 rows"});
  CHECK(rig.findings("clicks").front().starts_with("healthy:"));
}

TEST_CASE("the doctor says that nothing was read, that all is idle, and that a step is back-pressured") {
  DoctorRig rig;
  CHECK(rig.findings() == Texts{"no_input: the source `clicks` has read no record"});
  rig.rows("clicks", 10, 10);
  rig.split("clicks/0", 1000, true, true);
  rig.put("millrace_step_time_seconds_total", "clicks", 8, {{"state", "backpressured"}});
  rig.put("millrace_step_time_seconds_total", "clicks", 2, {{"state", "busy"}});
  rig.put("millrace_step_time_seconds_total", "out", 9, {{"state", "busy"}});
  rig.put("millrace_step_time_seconds_total", "out", 1, {{"state", "idle"}});
  CHECK(rig.findings() ==
        Texts{"idle: all 1 partitions of `clicks` are idle: the watermark stays where it is",
              "backpressure: `clicks` was back-pressured 80 % of its time (busy 20 %): a step behind it is slower, "
              "probably `out` (busy 90 %)"});
}

TEST_CASE("the doctor never says that a step waits for itself") {
  DoctorRig rig;
  rig.rows("clicks", 10, 10);
  rig.split("clicks/0", 1000, true, true);
  rig.put("millrace_step_time_seconds_total", "clicks", 8, {{"state", "backpressured"}});
  rig.put("millrace_step_time_seconds_total", "clicks", 2, {{"state", "busy"}});
  CHECK(rig.findings().back() ==
        "backpressure: `clicks` was back-pressured 80 % of its time (busy 20 %): a step behind it is slower");
}

TEST_CASE("the doctor counts late rows and tells of a step without a watermark") {
  DoctorRig rig;
  rig.rows("clicks", 10, 10);
  rig.rows("per_user", 10, 0);
  rig.put("millrace_step_late_records_total", "per_user", 3);
  CHECK(rig.findings() ==
        Texts{"late: `per_user`: 3 of 10 rows were late",
              "no_watermark: `per_user` has taken 10 rows and waits for a watermark; its input `buys` "
              "has none yet"});
}

TEST_CASE("the doctor sees a window that has fired before and waits now") {
  DoctorRig rig;
  rig.rows("clicks", 100, 100);
  rig.rows("buys", 100, 50);
  rig.rows("per_user", 50, 7);
  rig.put("millrace_step_watermark_timestamp_seconds", "clicks", 1000);
  rig.put("millrace_step_watermark_timestamp_seconds", "buys", 1000);
  rig.split("clicks/0", 1061, false);
  CHECK(rig.findings().front().starts_with("healthy:"));
  rig.split("clicks/0", 1900, false);
  rig.split("clicks/1", 1000, true);
  CHECK(rig.findings("per_user").back() ==
        "held_watermark: `per_user` has emitted 7 rows and waits; its input `buys` has the watermark 1000000 (ms since "
        "the epoch), 900.0 s behind the fastest partition");
}

}  // namespace millrace
