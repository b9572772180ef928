#include "functions/time/zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>

#include "core/file_system.h"
#include "data/datetime.h"

namespace millrace {

namespace {

int64_t big_endian(std::string_view bytes) {
  auto value = static_cast<uint64_t>(static_cast<int64_t>(static_cast<signed char>(bytes[0])));
  for (char c : bytes.substr(1)) value = (value << 8) | static_cast<unsigned char>(c);
  return static_cast<int64_t>(value);
}

/// "+08:00", "GMT-3", "UTC+01:00": seconds east.
bool read_fixed_offset(std::string_view name, int64_t& seconds) {
  for (std::string_view prefix : {"UTC", "GMT", "UT"}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
      break;
    }
  }
  if (name.empty() || name == "Z") {
    seconds = 0;
    return true;
  }
  if (name[0] != '+' && name[0] != '-') return false;
  int sign = name[0] == '-' ? -1 : 1;
  name.remove_prefix(1);
  auto time = parse_time(name);
  if (!time || name.size() > 8) return false;
  seconds = sign * *time / 1000;
  return true;
}

/// The rule after the last transition, such as CET-1CEST,M3.5.0,M10.5.0/3.
struct PosixRule {
  struct Change {
    int month = 0, week = 0, weekday = 0;
    int64_t seconds = 7200;
    /// Local seconds of the change in a year.
    [[nodiscard]] int64_t in_year(int64_t year) const {
      int64_t first = days_from_civil(year, month, 1);
      int64_t day = first + floor_mod(weekday - (first + 4), 7) + 7 * (week - 1);
      while (day >= first + days_in_month(year, month)) day -= 7;
      return day * 86400 + seconds;
    }
  };
  int64_t standard = 0;
  int64_t summer = 0;
  bool has_summer = false;
  Change begin, end;
};

bool read_signed_time(std::string_view& text, int64_t& seconds) {
  int sign = 1;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  int64_t factor = 3600;
  seconds = 0;
  bool any = false;
  while (factor > 0) {
    int64_t part = 0;
    size_t digits = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && digits++ < 3) {
      part = part * 10 + (text[0] - '0');
      text.remove_prefix(1);
      any = true;
    }
    seconds += part * factor;
    factor /= 60;
    if (text.empty() || text[0] != ':') break;
    text.remove_prefix(1);
  }
  seconds *= sign;
  return any;
}

bool skip_zone_name(std::string_view& text) {
  size_t end = 0;
  if (text.starts_with('<')) {
    end = text.find('>');
    if (end == std::string_view::npos) return false;
    ++end;
  } else {
    while (end < text.size() && ((text[end] >= 'A' && text[end] <= 'Z') || (text[end] >= 'a' && text[end] <= 'z')))
      ++end;
  }
  text.remove_prefix(end);
  return end > 0;
}

bool read_change(std::string_view& text, PosixRule::Change& change) {
  if (!text.starts_with(",M")) return false;  // the other two forms are not used by the database
  int consumed = 0;
  std::string copy(text);
  if (std::sscanf(copy.c_str(), ",M%d.%d.%d%n", &change.month, &change.week, &change.weekday, &consumed) != 3)
    return false;
  text.remove_prefix(static_cast<size_t>(consumed));
  if (text.starts_with('/')) {
    text.remove_prefix(1);
    return read_signed_time(text, change.seconds);
  }
  return true;
}

bool read_posix_rule(std::string_view text, PosixRule& rule) {
  if (!skip_zone_name(text) || !read_signed_time(text, rule.standard)) return false;
  rule.standard = -rule.standard;
  rule.summer = rule.standard + 3600;
  if (text.empty()) return true;
  rule.has_summer = true;
  if (!skip_zone_name(text)) return false;
  if (!text.empty() && text[0] != ',') {
    if (!read_signed_time(text, rule.summer)) return false;
    rule.summer = -rule.summer;
  }
  return read_change(text, rule.begin) && read_change(text, rule.end);
}

}  // namespace

Status TimeZone::load(const std::string& data, std::string_view name) {
  auto damaged = [&] {
    return make_error(ErrorCode::kBadValue, fmt::format("the time zone file of '{}' is not understood", name));
  };
  std::string_view rest = data;
  auto header = [&](size_t index) { return static_cast<size_t>(big_endian(rest.substr(20 + 4 * index, 4))); };
  if (rest.size() < 44 || !rest.starts_with("TZif") || rest[4] < '2') return damaged();
  // The first block has 32-bit times; skip to the second, whose counts are isutc, isstd, leap, time, type, char.
  size_t skip = 44 + header(3) * 5 + header(4) * 6 + header(5) + header(2) * 8 + header(1) + header(0);
  if (rest.size() < skip + 44) return damaged();
  rest.remove_prefix(skip);
  size_t times = header(3);
  size_t types = header(4);
  size_t body = times * 9 + types * 6 + header(5) + header(2) * 12 + header(1) + header(0);
  if (rest.size() < 44 + body || types == 0) return damaged();
  std::string_view at = rest.substr(44);
  std::string_view indexes = at.substr(times * 8);
  std::string_view infos = indexes.substr(times);
  auto offset_of = [&](size_t type) { return big_endian(infos.substr(type * 6, 4)); };
  first_offset_ = offset_of(0);
  for (size_t i = 0; i < times; ++i) {
    transitions_.push_back({big_endian(at.substr(i * 8, 8)), offset_of(static_cast<unsigned char>(indexes[i]))});
  }
  std::string_view footer = rest.substr(44 + body);
  while (!footer.empty() && footer.front() == '\n') footer.remove_prefix(1);
  footer = footer.substr(0, footer.find('\n'));
  PosixRule rule;
  if (!footer.empty() && read_posix_rule(footer, rule) && rule.has_summer) {
    int64_t last = transitions_.empty() ? INT64_MIN : transitions_.back().at;
    for (int64_t year = 1970; year <= 2400; ++year) {
      Transition changes[] = {{rule.begin.in_year(year) - rule.standard, rule.summer},
                              {rule.end.in_year(year) - rule.summer, rule.standard}};
      if (changes[1].at < changes[0].at) std::swap(changes[0], changes[1]);
      for (const Transition& change : changes) {
        if (change.at > last) transitions_.push_back(change);
      }
    }
  }
  return {};
}

Result<TimeZonePtr> TimeZone::find(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, TimeZonePtr, std::less<>> zones;
  std::lock_guard lock(mutex);
  if (auto known = zones.find(name); known != zones.end()) return known->second;
  auto zone = std::make_shared<TimeZone>();
  if (!read_fixed_offset(name, zone->first_offset_)) {
    bool safe = !name.empty() && name[0] != '/' && name.find("..") == std::string_view::npos && name.size() < 64;
    Result<std::string> data = safe ? local_file_system().read_all(fmt::format("/usr/share/zoneinfo/{}", name))
                                    : make_error(ErrorCode::kNotFound, "");
    if (!data) {
      return make_error(ErrorCode::kBadValue, fmt::format("unknown time zone '{}'", name),
                        "use a name such as Europe/Berlin (package tzdata) or an offset such as +01:00");
    }
    MR_TRY(zone->load(*data, name));
  }
  zones.emplace(std::string(name), zone);
  return TimeZonePtr(zone);
}

int64_t TimeZone::offset_at(int64_t utc_seconds) const {
  auto after = std::upper_bound(transitions_.begin(), transitions_.end(), utc_seconds,
                                [](int64_t at, const Transition& transition) { return at < transition.at; });
  return after == transitions_.begin() ? first_offset_ : std::prev(after)->offset;
}

int64_t TimeZone::to_utc(int64_t local_seconds) const {
  // The offsets in force a day before and a day after are the candidates.
  int64_t before = offset_at(local_seconds - 86400 - first_offset_);
  int64_t after = offset_at(local_seconds + 86400 - first_offset_);
  int64_t early = local_seconds - before;
  if (offset_at(early) == before) return early;
  int64_t late = local_seconds - after;
  if (offset_at(late) == after) return late;
  return early;  // inside a gap: the offset before it moves the time on
}

}  // namespace millrace
