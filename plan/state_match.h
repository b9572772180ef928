// How the parts of a state that a checkpoint holds fit the parts that a changed job wants: by name (or the former name
// that `was:` gives), aggregates by what they compute. Both the plan of a start (state/protocol/state_plan.h) and the
// conversion of rows (runtime/state_rows) ask here, so that what is promised is what happens. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plan/state_schema.h"

namespace millrace {

enum class PartFate : uint8_t { kAdded, kDropped, kWidened, kRenamed };

struct PartChange {
  PartFate fate = PartFate::kAdded;
  std::string name;  // in the job; dropped: in the checkpoint
  std::string was;   // kRenamed: the former name; kWidened: the former type
  std::string now;   // kWidened: the type
  friend bool operator==(const PartChange&, const PartChange&) = default;
};
std::string part_change_text(const PartChange& change);

struct MatchReport {
  std::string refused;  // why the rows cannot be taken over; empty: they can
  std::vector<PartChange> changes;
  [[nodiscard]] bool ok() const { return refused.empty(); }
  void refuse(std::string why) {
    if (refused.empty()) refused = std::move(why);
  }
};

/// Name in the job -> name in the checkpoint.
using FormerNames = std::map<std::string, std::string>;

/// Values of `from` are values of `to`, with more room: integers to wider ones, FLOAT to DOUBLE, DECIMAL with more
/// digits in front of and behind the point, texts to longer ones.
bool can_widen(const DataType& from, const DataType& to);

enum class AggregateFit : uint8_t { kSameBytes, kConvert, kNever };
/// Whether an accumulator over `from` serves a call over `to`; both are the same function.
AggregateFit fit_aggregate(const StateAggregate& from, const StateAggregate& to);

// For each of `to` the place in `from` that it continues; -1: it starts empty. Changes and refusals go to the report.
std::vector<int32_t> match_columns(const std::vector<Field>& from, const std::vector<Field>& to,
                                   const FormerNames& names, MatchReport& report);
/// Only fields of the form kAggregate count; places are among all fields.
std::vector<int32_t> match_aggregates(const std::vector<StateField>& from, const std::vector<StateField>& to,
                                      const FormerNames& names, MatchReport& report);
std::vector<int32_t> match_cells(const std::vector<StateField>& from, const std::vector<StateField>& to,
                                 const FormerNames& names, MatchReport& report);
std::vector<int32_t> match_choices(const std::vector<std::string>& from, const std::vector<std::string>& to,
                                   const FormerNames& names, MatchReport& report);

/// The whole of a state.
MatchReport match_state(const StateSchema& from, const StateSchema& to, const FormerNames& names);

}  // namespace millrace
