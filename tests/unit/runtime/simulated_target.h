// A target with transactions in memory, as unkind as Kafka's protocol allows: a session's init fences older ones and
// settles what was open; a commit may take effect although its reply is lost, fail, or stay undecided until the next
// init; records become visible in the order in which they were produced; the marker is read up to the last stable
// offset of its progress partition.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/crash_point.h"
#include "core/random.h"
#include "runtime/spi/exactly_once.h"
#include "tests/unit/runtime/simulated_process.h"

namespace millrace {

struct SimulatedTarget {
  enum class Fate : uint8_t { kOpen, kCommitted, kAborted };
  struct Transaction {
    Transaction(std::string its_lane, const CommitMarker& its_marker) : lane(std::move(its_lane)), marker(its_marker) {}
    std::string lane;
    CommitMarker marker;
    Fate fate = Fate::kOpen;
    bool end_sent = false;
    uint64_t rows = 0;
  };
  struct Record {
    int64_t value;
    size_t transaction;
  };

  explicit SimulatedTarget(Random& dice) : random(dice) {}

  Random& random;
  bool troubled = false;  // replies get lost
  std::vector<Transaction> transactions;
  std::vector<Record> output;
  std::map<std::string, std::vector<size_t>> progress;  // partition -> transactions that wrote a marker into it
  std::map<std::string, uint64_t> sessions;
  std::map<std::string, size_t> open;  // lane -> transaction

  /// Fences and settles; the number of the session.
  uint64_t init(const std::string& lane) {
    if (const auto found = open.find(lane); found != open.end()) {
      Transaction& transaction = transactions[found->second];
      const bool arrived = transaction.end_sent && random.below(2) == 0;
      transaction.fate = arrived ? Fate::kCommitted : Fate::kAborted;
      open.erase(found);
    }
    return ++sessions[lane];
  }

  std::optional<CommitMarker> read(const std::string& partition, const std::string& lane) {
    std::optional<CommitMarker> found;
    for (const size_t index : progress[partition]) {
      const Transaction& transaction = transactions[index];
      if (transaction.fate == Fate::kOpen) break;  // the last stable offset
      if (transaction.fate == Fate::kCommitted && transaction.lane == lane) found = transaction.marker;
    }
    return found;
  }
};

class SimulatedSession final : public LaneSession {
 public:
  SimulatedSession(SimulatedTarget& target, Lifeline& life, const LaneId& lane)
      : target_(target), life_(life), lane_(lane.text()) {
    partition_ = seeded_bug("shared_progress") ? lane.job_id : lane_;
  }

  Result<std::optional<CommitMarker>> last_committed() override {
    MR_TRY(life_.spend());
    std::optional<CommitMarker> early;
    if (seeded_bug("marker_before_init")) early = target_.read(partition_, lane_);
    MR_TRY(life_.spend());
    session_ = target_.init(lane_);
    MR_TRY(life_.spend());
    if (seeded_bug("marker_before_init")) return early;
    return target_.read(partition_, lane_);
  }

  Status commit(const CommitMarker& marker, const std::string& /*target*/, PartRows* rows) override {
    MR_TRY(alive_and_ours());
    const size_t mine = target_.transactions.size();
    target_.transactions.emplace_back(lane_, marker);
    target_.open[lane_] = mine;
    std::string_view row;
    while (rows != nullptr) {
      MR_ASSIGN(const bool more, rows->next(row));
      if (!more) break;
      MR_TRY(alive_and_ours());
      target_.output.push_back({std::stoll(std::string(row)), mine});
      ++target_.transactions[mine].rows;
    }
    MR_TRY(alive_and_ours());
    target_.progress[partition_].push_back(mine);
    MR_TRY(alive_and_ours());
    return end(mine);
  }

 private:
  Status alive_and_ours() {
    MR_TRY(life_.spend());
    if (target_.sessions[lane_] == session_) return {};
    return make_error(ErrorCode::kExternalFailed, "fenced");
  }

  Status end(size_t mine) {
    SimulatedTarget::Transaction& transaction = target_.transactions[mine];
    const uint64_t dice = target_.troubled ? target_.random.below(8) : 8;
    if (dice == 0) {
      transaction.end_sent = true;  // on its way: the next init decides
      return make_error(ErrorCode::kUnreachable, "no reply");
    }
    transaction.fate = dice == 1 ? SimulatedTarget::Fate::kAborted : SimulatedTarget::Fate::kCommitted;
    target_.open.erase(lane_);
    if (dice <= 2) return make_error(ErrorCode::kUnreachable, "no reply");
    return life_.spend();
  }

  SimulatedTarget& target_;
  Lifeline& life_;
  std::string lane_;
  std::string partition_;
  uint64_t session_ = 0;
};

class SimulatedSinkTarget final : public ExactlyOnceTarget {
 public:
  SimulatedSinkTarget(SimulatedTarget& target, Lifeline& life) : target_(target), life_(life) {}
  Status open(const TargetContext& context) override {
    prefix_ = context.job_id + "-" + context.sink + "-";
    return {};
  }
  [[nodiscard]] std::string target() const override { return "simulated"; }
  Status prepare(const Batch& batch, PreparedRows& rows, Output& /*dead_letters*/) override {
    Status status;
    for_each_row(batch, [&](uint32_t row) {
      if (status) status = rows.add(std::to_string(batch.columns[0]->values<int64_t>()[row]));
    });
    return status;
  }
  Result<uint32_t> known_lanes() override {
    MR_TRY(life_.spend());
    uint32_t lanes = 0;
    for (const auto& [lane, session] : target_.sessions) {
      if (!lane.starts_with(prefix_)) continue;
      lanes = std::max(lanes, static_cast<uint32_t>(std::stoul(lane.substr(lane.rfind('-') + 1))) + 1);
    }
    return lanes;
  }
  Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) override {
    MR_TRY(life_.spend());
    return std::make_unique<SimulatedSession>(target_, life_, lane);
  }

 private:
  SimulatedTarget& target_;
  Lifeline& life_;
  std::string prefix_;
};

}  // namespace millrace
