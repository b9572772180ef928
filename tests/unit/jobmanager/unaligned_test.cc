#include <catch2/catch.hpp>

#include "state/checkpoint_store.h"
#include "tests/unit/jobmanager/master_fixture.h"

namespace millrace {

namespace {

struct UnalignedFixture : MasterFixture {
  explicit UnalignedFixture(int64_t unaligned_after_ms) {
    auto changed = std::make_shared<JobGraph>(*graph);
    changed->settings.checkpoint.unaligned_after_ms = unaligned_after_ms;
    graph = changed;
  }
  std::vector<int64_t> overtaken() const {
    std::vector<int64_t> ids;
    for (const OvertakeCheckpoint& message : link.of<OvertakeCheckpoint>()) ids.push_back(message.checkpoint_id);
    return ids;
  }
  bool unaligned(int64_t id) const {
    const auto metadata = read_checkpoint(local_file_system(), checkpoint_path((root / "job").string(), id));
    REQUIRE(metadata);
    return metadata->unaligned;
  }
};

}  // namespace

TEST_CASE("Tasks are told to let barriers overtake when the checkpoint takes too long, and its metadata says so") {
  UnalignedFixture job(200);
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  const int64_t quick = job.triggered();
  job.pass_ms(199);
  job.acknowledge(quick);
  job.pass_ms(801);
  const int64_t slow = job.triggered();
  REQUIRE(slow > quick);
  REQUIRE(job.master->next_deadline_ms() == job.clock.wall_ms() + 200);
  job.pass_ms(200);
  REQUIRE(job.overtaken() == std::vector<int64_t>{slow});
  job.acknowledge(slow);
  REQUIRE_FALSE(job.unaligned(quick));
  REQUIRE(job.unaligned(slow));
  REQUIRE(job.master->view().recent_checkpoints.front().unaligned);
}

TEST_CASE("Savepoints and the checkpoints of a rescaling are aligned whatever they cost") {
  UnalignedFixture job(0);
  job.start();
  job.tasks_run();
  job.master->request_savepoint({"op1", (job.root / "elsewhere").string()});
  job.pass_ms(500);
  REQUIRE(job.overtaken().empty());
  job.acknowledge(job.triggered());
  job.master->request_replacement(job.with_parallelism("op2", 3));
  job.pass_ms(500);
  REQUIRE(job.overtaken().empty());
  job.acknowledge(job.triggered());
  REQUIRE(job.master->state() == JobState::kRestarting);
}

TEST_CASE("A new file that has other channels waits until the old one has handled the rows in flight") {
  UnalignedFixture job(0);
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  const int64_t with_rows = job.triggered();
  job.acknowledge(with_rows);
  REQUIRE(job.unaligned(with_rows));

  const auto old_graph = job.graph;
  const ReplaceOrder wished = job.with_parallelism("", 3);
  job.master.reset();
  job.link.sent.clear();
  JobMasterConfig config;
  config.graph = wished.graph;
  config.spec_yaml = wished.spec_yaml;
  config.checkpoint_root = job.root.string();
  config.clock = &job.clock;
  config.fs = &local_file_system();
  config.random = &job.random;
  config.slots = &job.slots;
  config.plan = [&](const std::string& spec) -> Result<std::shared_ptr<const JobGraph>> {
    REQUIRE(spec == "name: job");
    return old_graph;
  };
  job.master.emplace(std::move(config));
  REQUIRE(job.master->start());
  REQUIRE(job.deployed().spec_yaml == "name: job");
  REQUIRE(job.deployed().restore_checkpoint == with_rows);
  job.tasks_run();
  job.pass_ms(0);
  const int64_t aligned = job.triggered();
  REQUIRE(aligned > with_rows);
  REQUIRE(job.overtaken().empty());
  job.acknowledge(aligned);
  job.cancelled();
  job.pass_ms(0);
  REQUIRE(job.deployed().spec_yaml == wished.spec_yaml);
  REQUIRE(job.deployed().restore_checkpoint == aligned);
}

TEST_CASE("Changed checkpoint settings take effect at once and survive a restart, until another file comes") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  REQUIRE_FALSE(job.master->change_checkpoint_settings({{"interval", "soon"}}));
  REQUIRE(job.master->change_checkpoint_settings({{"interval", "200ms"}}));
  REQUIRE(job.master->change_checkpoint_settings({{"unaligned_after", "50ms"}}));
  REQUIRE(job.master->view().checkpoint_settings.at("interval") == "200ms");
  job.pass_ms(200);
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 1);
  job.pass_ms(50);
  REQUIRE(job.link.of<OvertakeCheckpoint>().size() == 1);

  job.start();
  REQUIRE(job.master->view().checkpoint_settings.at("interval") == "200ms");
  REQUIRE(job.master->view().checkpoint_settings.at("unaligned_after") == "50ms");

  job.tasks_run();
  ReplaceOrder upgrade = job.with_parallelism("op1", 2);
  upgrade.kind = OperationKind::kUpgrade;
  job.master->request_replacement(std::move(upgrade));
  job.acknowledge(job.triggered());
  job.cancelled();
  job.pass_ms(0);
  job.tasks_run();
  job.acknowledge(job.triggered());
  REQUIRE(job.master->view().checkpoint_settings.at("interval") == "1s");
}

}  // namespace millrace
