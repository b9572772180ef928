// A job in one thread: its graph with feeds and captures, the current deployment, and the last checkpoint. Steps until
// nothing moves; time moves only when told to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file_system.h"
#include "plan/job_graph.h"
#include "runtime/deployment.h"
#include "testing/capture.h"
#include "testing/feed.h"

namespace millrace {

class JobUnderTest final : private DeploymentEvents {
 public:
  /// `observed` are step, source or sink ids, perhaps with ".port"; kUnknownName when one does not exist.
  static Result<std::unique_ptr<JobUnderTest>> make(const JobGraph& graph, const std::vector<std::string>& observed,
                                                    const Registry& registry);
  ~JobUnderTest() override;

  [[nodiscard]] Feed& feed(const std::string& source) { return *feeds_.at(source); }
  [[nodiscard]] bool has_feed(const std::string& source) const { return feeds_.contains(source); }
  [[nodiscard]] Capture& capture() { return *capture_; }
  [[nodiscard]] Changelog changelog(const std::string& observed) const { return changelogs_.at(observed); }

  /// Until nothing moves at the current time.
  Status settle();
  Status advance_clock(int64_t by_ms);
  Status checkpoint();
  /// Loses everything behind the last checkpoint (or the start) and restores it.
  Status crash();
  /// Checkpoint, then restore at this parallelism (0: as it is).
  Status restore(uint32_t parallelism);

 private:
  JobUnderTest(JobGraph graph, const Registry& registry);
  Status observe(const std::string& name);
  Status deploy();
  void replace_connectors(const Registry& registry);

  // DeploymentEvents, all on this thread.
  void running(TaskId /*task*/) override {}
  void snapshot_taken(TaskId task, int64_t checkpoint_id, bool finished, std::vector<SnapshotPartPtr> parts) override;
  void finished(TaskId /*task*/) override {}
  void failed(TaskId task, const std::string& step, const Error& error) override;

  JobGraph graph_;
  Registry registry_;
  ManualClock clock_;
  Feeds feeds_;
  std::shared_ptr<Capture> capture_ = std::make_shared<Capture>();
  std::map<std::string, Changelog> changelogs_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<Deployment> deployment_;
  int64_t checkpoint_id_ = 0;
  int64_t completed_id_ = 0;
  std::vector<SnapshotHandle> taken_;
  std::vector<SnapshotHandle> completed_;
  Status failure_;
};

}  // namespace millrace
