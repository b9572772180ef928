// Time zones from the system's database (/usr/share/zoneinfo, TZif files) and fixed offsets. Loaded once per name and
// kept; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

class TimeZone {
 public:
  /// "UTC", "Europe/Berlin", "GMT+08:00", "+08:00".
  static Result<std::shared_ptr<const TimeZone>> find(std::string_view name);

  /// Seconds east of UTC at a moment.
  [[nodiscard]] int64_t offset_at(int64_t utc_seconds) const;
  /// A wall clock time to UTC. A time that occurs twice is the earlier one; one that does not occur moves on by the
  /// gap.
  [[nodiscard]] int64_t to_utc(int64_t local_seconds) const;

 private:
  struct Transition {
    int64_t at;
    int64_t offset;
  };
  Status load(const std::string& data, std::string_view name);

  int64_t first_offset_ = 0;
  std::vector<Transition> transitions_;
};
using TimeZonePtr = std::shared_ptr<const TimeZone>;

}  // namespace millrace
