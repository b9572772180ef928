// Calendar arithmetic by time unit, shared by the functions of time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

/// Whole months from one timestamp to another as Flink counts them: the last day of a month counts as complete.
int64_t months_between(int64_t from_millis, int64_t to_millis);

/// Milliseconds of a unit of fixed length (SECOND … WEEK, MILLISECOND); nothing for others.
std::optional<int64_t> fixed_unit_millis(std::string_view unit);
/// Months of YEAR, QUARTER, MONTH, DECADE …; nothing for others.
std::optional<int64_t> unit_months(std::string_view unit);

/// Start of the unit that holds the timestamp; weeks start on Sunday. Nothing when the unit is unknown.
std::optional<int64_t> floor_to_unit(int64_t millis, std::string_view unit);
std::optional<int64_t> ceil_to_unit(int64_t millis, std::string_view unit);
/// EXTRACT; nothing when the unit is unknown.
std::optional<int64_t> extract_unit(int64_t millis, std::string_view unit);
bool is_extract_unit(std::string_view unit);

}  // namespace millrace
