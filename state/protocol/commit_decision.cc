#include "state/protocol/commit_decision.h"

namespace millrace {

namespace {

// The greatest that every target can write.
constexpr uint32_t kWholeEpoch = INT32_MAX;

EpochPart position_of(const CommitMarker& marker) { return {marker.epoch, marker.part}; }

}  // namespace

CommitVerdict decide_commit(const std::optional<CommitMarker>& found, const LaneOwner& us, const CommitMarker& known,
                            EpochPart part) {
  if (!found) return CommitVerdict::kLost;
  if (found->generation > us.generation) return CommitVerdict::kSuperseded;
  if (found->generation == us.generation && found->incarnation != us.incarnation) return CommitVerdict::kTwoOwners;
  // We claimed the lane when the attempt began, so an older generation means that our claim is gone.
  if (found->generation < us.generation || position_of(*found) < position_of(known)) return CommitVerdict::kLost;
  return part <= position_of(*found) ? CommitVerdict::kSkip : CommitVerdict::kPublish;
}

ClaimDecision decide_claim(const std::optional<CommitMarker>& found, const LaneOwner& us, const RestoredLane& lane,
                           const LaneRules& rules) {
  const auto stop = [](ClaimVerdict verdict) { return ClaimDecision{verdict, {}}; };
  if (found && found->generation > us.generation) return stop(ClaimVerdict::kSuperseded);
  if (found && found->generation == us.generation && found->incarnation != us.incarnation) {
    return stop(ClaimVerdict::kTwoOwners);
  }
  const bool lost = lane.remembered && (!found || position_of(*found) < *lane.remembered);
  if (lost && !rules.accept_lost_progress) return stop(ClaimVerdict::kLost);
  if (found && found->epoch > lane.checkpoint_id && !rules.republish) return stop(ClaimVerdict::kOlderState);
  CommitMarker claim = found.value_or(CommitMarker{});
  if (lost) {  // what the state remembers is the better knowledge
    claim = {.epoch = lane.remembered->epoch, .part = lane.remembered->part};
  } else if (found && found->epoch > lane.checkpoint_id) {
    // From here on the marker tells what this line published. All that its state holds was published by the other one.
    claim = {.epoch = lane.checkpoint_id, .part = lane.checkpoint_id > 0 ? kWholeEpoch : 0};
  }
  claim.generation = us.generation;
  claim.incarnation = us.incarnation;
  return {ClaimVerdict::kClaim, claim};
}

}  // namespace millrace
