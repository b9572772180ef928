#include "rpc/codec.h"

#include <catch2/catch.hpp>

namespace millrace {

TEST_CASE("A deployment survives its wire form, bytes of any kind included") {
  DeployJob deploy;
  deploy.job_id = "0123";
  deploy.attempt = 7;
  deploy.spec_yaml = std::string("name: x\0\xff\n", 10);
  deploy.job_directory = "/state/x";
  deploy.restore_checkpoint = 41;
  deploy.restore = {{.task = {1, 2},
                     .file = "chk-41/1-2-7.state",
                     .bytes = 1ULL << 40,
                     .crc = 0xdeadbeef,
                     .shared = {{"a-1.sst", 5, 1ULL << 63}, {"a-2.sst", 0, 7}},
                     .own = {{"chk-41/1-2-7.OPTIONS", 9, 1}},
                     .written = 14}};
  deploy.restore_max_parallelism = 128;
  deploy.until_done = true;
  const auto decoded = decode_to_task_manager(encode_message(ToTaskManager(deploy)));
  REQUIRE(decoded.has_value());
  const auto& copy = std::get<DeployJob>(*decoded);
  REQUIRE(copy.job_id == deploy.job_id);
  REQUIRE(copy.attempt == 7);
  REQUIRE(copy.spec_yaml == deploy.spec_yaml);
  REQUIRE(copy.job_directory == deploy.job_directory);
  REQUIRE(copy.restore_checkpoint == 41);
  REQUIRE(copy.restore == deploy.restore);
  REQUIRE(copy.restore_max_parallelism == 128);
  REQUIRE(copy.until_done);
}

TEST_CASE("Every answer of a task survives its wire form as its own type") {
  const std::vector<ToJobManager> messages{TaskRunning{"j", 1, {2, 3}},
                                           SnapshotTaken{"j", 1, 9, {{2, 3}, "f", 5, 6, {}}, true},
                                           SnapshotFailed{"j", 1, 9, {2, 3}, "E0503", "disk"},
                                           TaskFinished{"j", 1, {2, 3}},
                                           TaskFailed{"j", 1, {2, 3}, "step", "E0502", "m", "h"},
                                           RestoredSettled{"j", 1, {2, 3}, "out"},
                                           EpochSettled{"j", 1, {2, 3}, "out", 9},
                                           TapRows{"j", 1, "tap", {"{}", "{\"a\":1}"}},
                                           JobCancelled{"j", 1}};
  for (const ToJobManager& message : messages) {
    const auto decoded = decode_to_job_manager(encode_message(message));
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->index() == message.index());
    REQUIRE(encode_message(*decoded) == encode_message(message));
  }
  const auto taken = decode_to_job_manager(encode_message(messages[1]));
  REQUIRE(std::get<SnapshotTaken>(*taken).handle.task == TaskId{2, 3});
  REQUIRE(std::get<SnapshotTaken>(*taken).finished);
}

TEST_CASE("A deployment names its members and which of them has which slot") {
  DeployJob deploy;
  deploy.members = {{"a", "10.0.0.1:7000"}, {"b", "10.0.0.2:7000"}};
  deploy.slots = {0, 1, 1, 0};
  deploy.member = 1;
  const auto decoded = decode_to_task_manager(encode_message(ToTaskManager(deploy)));
  REQUIRE(decoded.has_value());
  const auto& copy = std::get<DeployJob>(*decoded);
  REQUIRE(copy.members.size() == 2);
  REQUIRE(copy.members[1].task_manager == "b");
  REQUIRE(copy.members[1].data_address == "10.0.0.2:7000");
  REQUIRE(copy.slots == deploy.slots);
  REQUIRE(copy.member == 1);
}

TEST_CASE("Frames of a connection carry registration and messages of jobs alike") {
  MetricsReport report;
  report.samples = {{"millrace_x", "help", MetricKind::kGauge, {{"step", "a"}, {"subtask", "1"}}, 2.5}};
  const std::vector<FromTaskManager> messages{RegisterTaskManager{"id", "0.1", 4, "h:1", "h:2", 1ULL << 33, "token"},
                                              StorageNonce{"n", ""}, report, TaskRunning{"j", 1, {2, 3}}};
  for (const FromTaskManager& message : messages) {
    const auto decoded = decode_from_task_manager(encode_frame(message));
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->index() == message.index());
    REQUIRE(encode_frame(*decoded) == encode_frame(message));
  }
  const auto copy = decode_from_task_manager(encode_frame(messages[2]));
  const MetricSample& sample = std::get<MetricsReport>(*copy).samples.at(0);
  REQUIRE(sample.labels == report.samples[0].labels);
  REQUIRE(sample.kind == MetricKind::kGauge);
  REQUIRE(sample.value == 2.5);
  const auto cancel = decode_from_job_manager(encode_frame(FromJobManager(CancelJob{"j", 3})));
  REQUIRE(std::get<CancelJob>(*cancel).attempt == 3);
}

TEST_CASE("Damaged and unknown messages are refused") {
  std::string bytes = encode_message(ToTaskManager(CancelJob{"j", 1}));
  REQUIRE(decode_to_task_manager(bytes.substr(0, bytes.size() / 2)).error().code == ErrorCode::kBadMessage);
  REQUIRE(decode_to_job_manager(bytes).error().code == ErrorCode::kBadMessage);
  REQUIRE(decode_to_task_manager("").error().code == ErrorCode::kBadMessage);
}

}  // namespace millrace
