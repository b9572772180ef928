// Exactly-once output under one seed in one thread: processes are killed inside any call to disk or target, machines
// lose what was not synced, checkpoints are aborted, replies get lost, frozen processes wake up beside their
// successors, and the parallelism changes at every start. At the end every row must be there once, in order per key,
// and every part of an epoch whole.
//
// MILLRACE_SEED=<n> replays one seed and tells what happens, MILLRACE_SEEDS=<n> runs that many.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>

#include "core/log.h"
#include "core/simulated_file_system.h"
#include "state/checkpoint_store.h"
#include "tests/unit/runtime/simulated_job.h"

using namespace millrace;

namespace {

constexpr int kTurnsMax = 60'000;
constexpr int kNestedMax = 4;

struct SimulationCounts {
  int kills = 0;
  int power_cuts = 0;
  int freezes = 0;
  int starts = 0;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    const uint64_t keys = 1 + random_.below(6);
    std::vector<int64_t> numbers_of_keys(keys);
    for (uint64_t rows = 20 + random_.below(60); rows > 0; --rows) {
      const uint64_t key = random_.below(keys);
      input_.push_back(static_cast<int64_t>(key) * kSimulatedKey + numbers_of_keys[key]++);
    }
    faults_ = random_.below(8);
  }

  /// Empty: as it should be.
  std::string run() {
    if (!disk_.create_directories("/jobs") || !disk_.sync_directory("/") || !disk_.sync_directory("/jobs"))
      return "disk";
    std::string wrong = run_job();
    if (wrong.empty() && random_.below(3) == 0) {  // a fresh job under the old name
      processes_.clear();
      owner_ = nullptr;
      former_job_ = ended_job();
      first_record_ = target_.output.size();
      first_transaction_ = target_.transactions.size();
      faults_ = random_.below(4);
      wrong = run_job();
    }
    return wrong;
  }
  [[nodiscard]] const SimulationCounts& counts() const { return counts_; }

 private:
  std::string run_job() {
    finished_ = false;
    for (int turns = 0; !finished_; ++turns) {
      if (turns > kTurnsMax) {
        const std::string standing = owner_ != nullptr ? owner_->standing() : "no owner";
        return "the job does not come to its end (" + standing + "): " + last_error_;
      }
      turn();
      if (!damage_.empty()) return "state is damaged: " + damage_;
    }
    return check();
  }

  void say(const std::string& what) const {
    if (talks_) std::fprintf(stderr, "turn %d: %s\n", turns_, what.c_str());
  }

  void reap() {
    for (auto it = processes_.begin(); it != processes_.end();) {
      if (it->error()) last_error_ = it->error()->to_string();
      if (it->over() && !it->busy) {
        say("process over" + (it->error() ? ": " + it->error()->to_string() : std::string()));
        it = processes_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void turn() {
    ++turns_;
    target_.troubled = faults_ > 0;
    if (faults_ > 0 && random_.below(400) == 0) disk_.fail_syncs(1);
    if (!owner_ || owner_->over()) {
      // What a former owner finds missing was its successor's to remove.
      if (owner_ != nullptr && owner_->error() && owner_->error()->code == ErrorCode::kCorruptState) {
        damage_ = owner_->error()->to_string();
      }
      owner_ = nullptr;
      reap();
      start(false);
      return;
    }
    reap();
    // A frozen process that woke up goes on beside the owner.
    SimulatedJob* chosen = owner_;
    if (processes_.size() > 1 && random_.below(3) == 0) {
      auto it = processes_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random_.below(processes_.size())));
      chosen = &*it;
    }
    if (chosen->busy) return;
    chosen->step(faults_ > 0);
    if (owner_ != nullptr && owner_->finished()) finished_ = true;
  }

  /// The id of the job on disk when it ended; a process may have died right behind writing that.
  std::optional<JobId> ended_job() {
    const auto record = read_job_record(disk_, "/jobs/job");
    if (!record || !*record || (*record)->status != JobStatus::kFinished) return std::nullopt;
    return (*record)->job_id;
  }

  void start(bool take_over) {
    if (const auto ended = ended_job(); ended && ended != former_job_) {
      finished_ = true;
      return;
    }
    ++counts_.starts;
    SimulatedJob& job = processes_.emplace_back(SimulatedJob::World{random_, disk_, target_, clock_, input_},
                                                static_cast<uint32_t>(1 + random_.below(3)));
    owner_ = &job;
    if (faults_ > 0) {
      --faults_;
      job.life().left = static_cast<int64_t>(1 + random_.below(random_.below(2) == 0 ? 60 : 600));
      job.life().at_zero = [this, &job] { strike(job); };
    }
    job.start(take_over);
    say("started " + job.identity());
  }

  /// In the middle of a call of the process.
  void strike(SimulatedJob& job) {
    switch (random_.below(3)) {
      case 0:
        ++counts_.kills;
        say("killed");
        job.life().dead = true;
        return;
      case 1:
        ++counts_.power_cuts;
        say("power cut");
        for (SimulatedJob& each : processes_) each.life().dead = true;
        if (random_.below(2) == 0) {
          disk_.crash();
        } else {
          disk_.crash(random_);
        }
        return;
      default:
        return freeze(job);
    }
  }

  void freeze(SimulatedJob& job) {
    if (nested_ >= kNestedMax) return;
    ++counts_.freezes;
    say("frozen, another takes over");
    ++nested_;
    start(true);
    for (uint64_t turns = random_.below(2) == 0 ? random_.below(40) : random_.below(1'500); turns > 0 && !finished_;
         --turns) {
      turn();
    }
    --nested_;
    say("woken up");
    // It wakes up here, in the middle of its call, and lives for a while.
    if (finished_) job.life().dead = true;
    job.life().left = static_cast<int64_t>(1 + random_.below(300));
    job.life().at_zero = [&job] { job.life().dead = true; };
  }

  std::string check() const {
    std::map<int64_t, int64_t> next;
    std::map<std::tuple<std::string, int64_t, uint32_t>, int> parts;
    for (size_t i = first_record_; i < target_.output.size(); ++i) {
      const SimulatedTarget::Record& record = target_.output[i];
      const auto fate = target_.transactions[record.transaction].fate;
      if (fate == SimulatedTarget::Fate::kOpen) return "a transaction with rows is open at the end";
      if (fate != SimulatedTarget::Fate::kCommitted) continue;
      const int64_t key = record.value / kSimulatedKey;
      const int64_t number = record.value % kSimulatedKey;
      if (number != next[key]) {
        return "key " + std::to_string(key) + ": row " + std::to_string(number) + " where row " +
               std::to_string(next[key]) + " was due";
      }
      ++next[key];
    }
    for (size_t i = first_transaction_; i < target_.transactions.size(); ++i) {
      const SimulatedTarget::Transaction& one = target_.transactions[i];
      if (one.fate != SimulatedTarget::Fate::kCommitted || one.rows == 0) continue;
      if (one.rows != one.marker.rows) return "a part of an epoch is not whole";
      if (++parts[{one.lane, one.marker.epoch, one.marker.part}] > 1) return "a part of an epoch was published twice";
    }
    std::map<int64_t, int64_t> wanted;
    for (const int64_t value : input_) ++wanted[value / kSimulatedKey];
    for (const auto& [key, count] : wanted) {
      const auto found = next.find(key);
      if (found == next.end() || found->second != count) return "key " + std::to_string(key) + ": rows are missing";
    }
    return {};
  }

  SeededRandom random_;
  SimulatedFileSystem disk_;
  ManualClock clock_{1};
  SimulatedTarget target_{random_};
  std::vector<int64_t> input_;
  std::list<SimulatedJob> processes_;
  SimulatedJob* owner_ = nullptr;
  uint64_t faults_ = 0;
  std::optional<JobId> former_job_;
  int nested_ = 0;
  int turns_ = 0;
  bool talks_ = std::getenv("MILLRACE_SEED") != nullptr;
  size_t first_record_ = 0;  // of the job at hand
  size_t first_transaction_ = 0;
  bool finished_ = false;
  std::string last_error_;
  std::string damage_;
  SimulationCounts counts_;
};

uint64_t simulation_number(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct QuietLogs {
  QuietLogs() { set_log_level(LogLevel::kOff); }
  ~QuietLogs() { set_log_level(LogLevel::kWarn); }
  QuietLogs(const QuietLogs&) = delete;
  QuietLogs& operator=(const QuietLogs&) = delete;
};

}  // namespace

TEST_CASE("whatever dies, freezes or gets lost, every row comes out once and in order", "[simulation]") {
  const QuietLogs quiet;
  const uint64_t one = simulation_number("MILLRACE_SEED", 0);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : simulation_number("MILLRACE_SEEDS", 6'000);
  SimulationCounts sum;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Simulation simulation(seed);
    const std::string wrong = simulation.run();
    if (!wrong.empty()) {
      FAIL("seed " << seed << ": " << wrong << "\nMILLRACE_SEED=" << seed << " replays it");
    }
    sum.kills += simulation.counts().kills;
    sum.power_cuts += simulation.counts().power_cuts;
    sum.freezes += simulation.counts().freezes;
    sum.starts += simulation.counts().starts;
  }
  WARN(last - first + 1 << " seeds: " << sum.starts << " starts, " << sum.kills << " kills, " << sum.power_cuts
                        << " power cuts, " << sum.freezes << " take-overs of frozen processes");
  CHECK(sum.starts > 0);
}

#ifdef MILLRACE_TEST_HOOKS
TEST_CASE("the simulation notices seeded bugs", "[simulation]") {
  const QuietLogs quiet;
  for (const char* bug :
       {"skip_marker", "marker_before_init", "reuse_checkpoint_id", "segment_not_synced", "commit_before_completion",
        "shared_progress", "parts_ignored", "abort_deletes_segments", "one_owner", "name_is_identity"}) {
    seed_bug(bug);
    uint64_t seed = 1;
    std::string wrong;
    while (wrong.empty() && seed <= 2'000) wrong = Simulation(seed++).run();
    seed_bug("");
    INFO("the bug " << bug << " was not noticed");
    CHECK_FALSE(wrong.empty());
  }
}
#endif
