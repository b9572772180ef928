#include "taskmanager/restored_steps.h"

#include <catch2/catch.hpp>

#include "core/log.h"

namespace millrace {

namespace {

JobGraph graph_with(const std::string& id, const std::string& was) {
  JobGraph graph;
  Node node;
  node.id = id;
  node.was = was;
  graph.nodes.push_back(node);
  return graph;
}

std::vector<SnapshotStateInfo> state_of(const std::string& step, uint64_t rows = 1) {
  return {
      {.state = {.step = step, .name = "window", .kind = StateKind::kKeyed, .layout = ""}, .rows = rows, .bytes = 0}};
}

class OneStep final : public RestoredState {
 public:
  Status visit(const StateDescriptor& expected, KeyGroupRange, uint32_t, uint32_t,
               const RowVisitor& visitor) const override {
    return expected.step == "old" ? visitor(0, "key", "value") : Status{};
  }
};

int rows_seen(const RestoredState& state, const std::string& step) {
  int rows = 0;
  REQUIRE(state
              .visit({step, "window", StateKind::kKeyed, ""}, {}, 0, 1,
                     [&](uint32_t, std::string_view, std::string_view) -> Status {
                       ++rows;
                       return {};
                     })
              .has_value());
  return rows;
}

}  // namespace

TEST_CASE("State of a step that the job does not have is refused by name, unless dropping it is allowed") {
  set_log_level(LogLevel::kOff);
  const Status refused = check_restored_steps(state_of("gone"), graph_with("kept", ""), false);
  REQUIRE(refused.error().code == ErrorCode::kRefusedByState);
  REQUIRE(refused.error().message.find("`gone`") != std::string::npos);
  REQUIRE(check_restored_steps(state_of("gone"), graph_with("kept", ""), true).has_value());
  REQUIRE(check_restored_steps(state_of("gone", 0), graph_with("kept", ""), false).has_value());
  REQUIRE(check_restored_steps(state_of("old"), graph_with("new", "old"), false).has_value());
}

TEST_CASE("A renamed step finds its state under its former id until a checkpoint carries the new one") {
  const auto restored = std::make_shared<OneStep>();
  REQUIRE(rows_seen(*with_former_ids(restored, state_of("old"), graph_with("new", "old")), "new") == 1);
  REQUIRE(rows_seen(*with_former_ids(restored, state_of("new"), graph_with("new", "old")), "new") == 0);
  REQUIRE(rows_seen(*with_former_ids(restored, state_of("old"), graph_with("new", "")), "new") == 0);
}

}  // namespace millrace
