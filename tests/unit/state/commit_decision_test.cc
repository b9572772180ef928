#include "state/protocol/commit_decision.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

constexpr LaneOwner kUs{7, 0xabc};

CommitMarker marker_of(int64_t generation, uint64_t incarnation, int64_t epoch, uint32_t part = 0, uint32_t parts = 1) {
  return {generation, incarnation, epoch, part, parts, 10, 1};
}

CommitMarker our_marker(int64_t epoch, uint32_t part = 0) { return marker_of(7, 0xabc, epoch, part); }

struct ClaimRow {
  const char* start;
  std::optional<CommitMarker> found;
  RestoredLane lane;
  LaneRules rules;
  ClaimVerdict expected;
  EpochPart claimed;
};

}  // namespace

TEST_CASE("a part is published unless the marker covers it, and only by the lane's owner") {
  struct Row {
    const char* fault;
    std::optional<CommitMarker> found;
    CommitMarker known;
    EpochPart part;
    CommitVerdict expected;
  };
  const Row row = GENERATE(
      Row{"complete, before notify", our_marker(4), our_marker(4), {5, 0}, CommitVerdict::kPublish},
      Row{"during produce: init aborted it", our_marker(4), our_marker(4), {5, 0}, CommitVerdict::kPublish},
      Row{"commit sent, reply lost, and it counted", our_marker(5), our_marker(4), {5, 0}, CommitVerdict::kSkip},
      Row{"commit sent, reply lost, and it did not", our_marker(4), our_marker(4), {5, 0}, CommitVerdict::kPublish},
      Row{"after commit, before acknowledgement", our_marker(5), our_marker(5), {5, 0}, CommitVerdict::kSkip},
      Row{"between parts: the part before", our_marker(5, 0), our_marker(5, 0), {5, 1}, CommitVerdict::kPublish},
      Row{"between parts: the same part", our_marker(5, 1), our_marker(5, 0), {5, 1}, CommitVerdict::kSkip},
      Row{"the last part of the epoch before", our_marker(4, 9), our_marker(4, 9), {5, 0}, CommitVerdict::kPublish},
      Row{"an aborted checkpoint's epoch goes out late", our_marker(3), our_marker(3), {4, 0}, CommitVerdict::kPublish},
      Row{"a successor has claimed the lane", marker_of(8, 1, 4), our_marker(4), {5, 0}, CommitVerdict::kSuperseded},
      Row{"another process under our attempt", marker_of(7, 1, 4), our_marker(4), {5, 0}, CommitVerdict::kTwoOwners},
      Row{"progress deleted", std::nullopt, our_marker(4), {5, 0}, CommitVerdict::kLost},
      Row{"progress put back to an older record", our_marker(3), our_marker(4), {5, 0}, CommitVerdict::kLost},
      Row{"our claim is gone", marker_of(6, 1, 4), our_marker(4), {5, 0}, CommitVerdict::kLost});
  INFO(row.fault);
  CHECK(decide_commit(row.found, kUs, row.known, row.part) == row.expected);
}

TEST_CASE("a lane is claimed at the start of an attempt, unless output would be lost or repeated") {
  const LaneRules strict{};
  const LaneRules republish{.republish = true, .accept_lost_progress = false};
  const LaneRules accept{.republish = false, .accept_lost_progress = true};
  const ClaimRow row = GENERATE_COPY(
      ClaimRow{"fresh job", std::nullopt, {0, {}}, strict, ClaimVerdict::kClaim, {0, 0}},
      ClaimRow{"fresh job, claim repeated", our_marker(0), {0, {}}, strict, ClaimVerdict::kClaim, {0, 0}},
      ClaimRow{"restart behind the last commit",
               marker_of(6, 1, 5),
               {5, EpochPart{4, 0}},
               strict,
               ClaimVerdict::kClaim,
               {5, 0}},
      ClaimRow{"restart between parts",
               marker_of(6, 1, 5, 1, 3),
               {5, EpochPart{4, 0}},
               strict,
               ClaimVerdict::kClaim,
               {5, 1}},
      ClaimRow{"down for weeks, nothing published",
               marker_of(6, 1, 4),
               {5, EpochPart{4, 0}},
               strict,
               ClaimVerdict::kClaim,
               {4, 0}},
      ClaimRow{"new lane of a restored job", std::nullopt, {5, {}}, strict, ClaimVerdict::kClaim, {0, 0}},
      ClaimRow{"a newer attempt is there", marker_of(8, 1, 5), {5, {}}, strict, ClaimVerdict::kSuperseded, {}},
      ClaimRow{"two owners of one attempt", marker_of(7, 1, 5), {5, {}}, strict, ClaimVerdict::kTwoOwners, {}},
      ClaimRow{
          "two owners, whatever is accepted", marker_of(7, 1, 5), {5, {}}, republish, ClaimVerdict::kTwoOwners, {}},
      ClaimRow{"snapshot older than the marker",
               marker_of(6, 1, 9),
               {5, EpochPart{5, 0}},
               strict,
               ClaimVerdict::kOlderState,
               {}},
      ClaimRow{"the same with --republish",
               marker_of(6, 1, 9),
               {5, EpochPart{5, 0}},
               republish,
               ClaimVerdict::kClaim,
               {5, INT32_MAX}},
      ClaimRow{"progress deleted", std::nullopt, {5, EpochPart{5, 0}}, strict, ClaimVerdict::kLost, {}},
      ClaimRow{"progress deleted, lane never published",
               std::nullopt,
               {5, EpochPart{0, 0}},
               strict,
               ClaimVerdict::kLost,
               {}},
      ClaimRow{
          "progress older than remembered", marker_of(6, 1, 3), {5, EpochPart{5, 0}}, strict, ClaimVerdict::kLost, {}},
      ClaimRow{
          "deleted, --accept-lost-progress", std::nullopt, {5, EpochPart{5, 2}}, accept, ClaimVerdict::kClaim, {5, 2}},
      ClaimRow{"--republish does not accept a loss",
               std::nullopt,
               {5, EpochPart{5, 0}},
               republish,
               ClaimVerdict::kLost,
               {}});
  INFO(row.start);
  const ClaimDecision decision = decide_claim(row.found, kUs, row.lane, row.rules);
  REQUIRE(decision.verdict == row.expected);
  if (row.expected != ClaimVerdict::kClaim) return;
  CHECK(decision.claim.generation == kUs.generation);
  CHECK(decision.claim.incarnation == kUs.incarnation);
  CHECK(EpochPart{decision.claim.epoch, decision.claim.part} == row.claimed);
}

TEST_CASE("after a repetition that was accepted, epochs below the old marker are published too") {
  const LaneRules republish{.republish = true, .accept_lost_progress = false};
  const ClaimDecision old_lane = decide_claim(marker_of(6, 1, 9), kUs, {5, {}}, republish);
  CHECK(decide_commit(old_lane.claim, kUs, old_lane.claim, {5, 3}) == CommitVerdict::kSkip);
  CHECK(decide_commit(old_lane.claim, kUs, old_lane.claim, {6, 0}) == CommitVerdict::kPublish);
  const ClaimDecision no_checkpoint = decide_claim(marker_of(6, 1, 9), kUs, {0, {}}, republish);
  CHECK(decide_commit(no_checkpoint.claim, kUs, no_checkpoint.claim, {1, 0}) == CommitVerdict::kPublish);
}
