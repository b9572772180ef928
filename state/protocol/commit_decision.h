// What an exactly-once sink does with an epoch, given the marker that its target holds: publish, skip, or stop. Pure
// functions and plain data; the committer thread (runtime/exactly_once) reads markers and carries decisions out.
//
// A marker is written in the transaction that publishes an epoch's part, so after a new session has settled whatever
// was open, the marker tells the whole truth about the lane. Comparing is by (epoch, part).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

/// The progress record of a lane: the last part that was published, and by whom.
struct CommitMarker {
  int64_t generation = 0;    // attempt of the job
  uint64_t incarnation = 0;  // random per attempt; tells two owners of one attempt apart
  int64_t epoch = 0;         // checkpoint id; 0: nothing was published yet
  uint32_t part = 0;         // counting from 0
  uint32_t parts = 0;        // of the epoch; 0: not told, in a claim
  uint64_t rows = 0;         // of this part
  uint32_t crc = 0;          // CRC-32C of the part's rows
  friend bool operator==(const CommitMarker&, const CommitMarker&) = default;
};

/// Who we are.
struct LaneOwner {
  int64_t generation = 0;
  uint64_t incarnation = 0;
};

struct EpochPart {
  int64_t epoch = 0;
  uint32_t part = 0;
  friend auto operator<=>(const EpochPart&, const EpochPart&) = default;
};

enum class CommitVerdict : uint8_t {
  kPublish,
  kSkip,        // the marker covers the part
  kSuperseded,  // a newer attempt owns the lane: stop
  kTwoOwners,   // the same attempt under another incarnation: stop
  kLost,        // the marker is gone, or lower than we know it to be: the progress was deleted
};

/// In a session of a lane that we own: `known` = the marker that we wrote last.
CommitVerdict decide_commit(const std::optional<CommitMarker>& found, const LaneOwner& us, const CommitMarker& known,
                            EpochPart part);

/// What the restored state knows of a lane.
struct RestoredLane {
  int64_t checkpoint_id = 0;            // that the state comes from; 0: a fresh start
  std::optional<EpochPart> remembered;  // the last marker that was known when the state was saved
};

struct LaneRules {
  bool republish = false;             // --republish: go on from a state older than the marker
  bool accept_lost_progress = false;  // --accept-lost-progress
};

enum class ClaimVerdict : uint8_t {
  kClaim,  // write `claim` (the marker found, or what was accepted in its place), then publish what it does not cover
  kSuperseded,
  kTwoOwners,
  kOlderState,  // the marker is beyond the state: epochs would be published twice
  kLost,
};

struct ClaimDecision {
  ClaimVerdict verdict = ClaimVerdict::kClaim;
  CommitMarker claim;  // kClaim, under our name
};

/// At the start of an attempt, after the session's init settled the last transaction of whoever was there.
ClaimDecision decide_claim(const std::optional<CommitMarker>& found, const LaneOwner& us, const RestoredLane& lane,
                           const LaneRules& rules);

}  // namespace millrace
