#include "taskmanager/restored_steps.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "core/log.h"

namespace millrace {

namespace {

bool belongs_to(const std::string& step, const JobGraph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return node.id == step || node.was == step; });
}

class FormerIds final : public RestoredState {
 public:
  FormerIds(std::shared_ptr<const RestoredState> restored, std::map<std::string, std::string> former)
      : restored_(std::move(restored)), former_(std::move(former)) {}
  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override {
    const auto found = former_.find(expected.step);
    if (found == former_.end()) return restored_->visit(expected, groups, subtask, parallelism, visitor);
    StateDescriptor renamed = expected;
    renamed.step = found->second;
    return restored_->visit(renamed, groups, subtask, parallelism, visitor);
  }
  [[nodiscard]] std::vector<RestoredStore> stores() const override { return restored_->stores(); }
  Status fetch(const RestoredFile& file, const std::string& to) const override { return restored_->fetch(file, to); }

 private:
  std::shared_ptr<const RestoredState> restored_;
  std::map<std::string, std::string> former_;  // id -> the id in the checkpoint
};

}  // namespace

Status check_restored_steps(const std::vector<SnapshotStateInfo>& states, const JobGraph& graph,
                            bool allow_dropped_state) {
  std::set<std::string> dropped;
  for (const SnapshotStateInfo& info : states) {
    if (info.rows > 0 && !belongs_to(info.state.step, graph)) dropped.insert(info.state.step);
  }
  if (dropped.empty()) return {};
  std::string names;
  for (const std::string& step : dropped) names += (names.empty() ? "`" : ", `") + step + "`";
  if (allow_dropped_state) {
    log_warn("state is dropped", {{"steps", names}});
    return {};
  }
  return make_error(
      ErrorCode::kRefusedByState, "the checkpoint holds state of " + names + ", which the job does not have",
      "keep the id, name the new step's old id with `was:`, or accept the loss with --allow-dropped-state");
}

std::shared_ptr<const RestoredState> with_former_ids(std::shared_ptr<const RestoredState> restored,
                                                     const std::vector<SnapshotStateInfo>& states,
                                                     const JobGraph& graph) {
  std::map<std::string, std::string> former;
  for (const Node& node : graph.nodes) {
    if (node.was.empty()) continue;
    // After the first checkpoint under the new id the former one means nothing any more.
    const bool taken = std::any_of(states.begin(), states.end(),
                                   [&](const SnapshotStateInfo& info) { return info.state.step == node.id; });
    if (!taken) former[node.id] = node.was;
  }
  if (former.empty()) return restored;
  return std::make_shared<FormerIds>(std::move(restored), std::move(former));
}

}  // namespace millrace
