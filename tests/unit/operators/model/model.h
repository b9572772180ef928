// What the model tests share: thousands of seeds, each of which draws a step, its rows and the way in which the
// operator is treated. The expected rows come from a plain calculation beside each test. MILLRACE_SEED=n replays one
// seed, MILLRACE_SEEDS=n runs so many.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "tests/unit/operators/support.h"

namespace millrace {

class ModelRandom final {
 public:
  explicit ModelRandom(uint64_t seed) : random_(seed) {}
  /// In [low, high].
  int64_t in(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high - low + 1)));
  }
  bool one_in(uint64_t n) { return random_.below(n) == 0; }
  std::string pick(const std::vector<std::string>& of) { return of[random_.below(of.size())]; }
  /// A key as JSON: one of few, sometimes NULL.
  std::string key() { return one_in(12) ? "null" : fmt::format("\"{}\"", static_cast<char>('a' + in(0, 2))); }
  Random& raw() { return random_; }

 private:
  SeededRandom random_;
};

/// Watermarks and times of rows that come out of order, from before the epoch on.
class ModelTime final {
 public:
  explicit ModelTime(ModelRandom& random) : random_(random), newest_(random.in(-120, 20)) {}

  /// The next row's time; `late`: it may lie behind the watermark.
  int64_t row(bool late = true) {
    int64_t time = newest_ + random_.in(-25, 14);
    if (!late) time = std::max(time, watermark_ == kWatermarkMin ? time : watermark_ + 1);
    newest_ = std::max(newest_, time);
    return time;
  }
  /// Sometimes a new watermark.
  std::optional<int64_t> advance() {
    if (!random_.one_in(4)) return std::nullopt;
    const int64_t next = newest_ - random_.in(0, 14);
    if (next <= watermark_) return std::nullopt;
    watermark_ = next;
    return next;
  }
  [[nodiscard]] int64_t watermark() const { return watermark_; }

 private:
  ModelRandom& random_;
  int64_t newest_;
  int64_t watermark_ = kWatermarkMin;
};

inline std::string json_of(std::optional<int64_t> value) { return value ? std::to_string(*value) : "null"; }

inline std::string model_case_text(const KitCase& test) {
  std::string text = test.step + "\n";
  for (const KitEvent& event : test.events) {
    if (event.kind == KitEvent::Kind::kRow) {
      text += fmt::format("  {} {}{}at {}\n", event.input, event.row,
                          event.row_kind == 0 ? " " : fmt::format(" kind {} ", event.row_kind), event.event_time);
    } else {
      text += fmt::format("  {} {}\n", event.kind == KitEvent::Kind::kClock ? "clock" : "watermark", event.watermark);
    }
  }
  return text;
}

/// Runs the case in a drawn mode and describes what differs; empty: nothing.
inline std::string model_difference(const KitCase& test, ModelRandom& random,
                                    std::map<std::string, std::vector<std::string>>* rows = nullptr) {
  std::string text;
  for (const std::string& failure : run_operator_case_drawn(operators_registry(), test, random.raw(), rows)) {
    text += failure + "\n";
  }
  return text.empty() ? "" : text + model_case_text(test);
}

/// `one` gives a description of what differs for a seed, or nothing. Stops at the second failing seed.
inline void for_each_model_seed(uint64_t seeds, const std::function<std::string(ModelRandom&)>& one) {
  const char* replay = std::getenv("MILLRACE_SEED");
  const char* number = std::getenv("MILLRACE_SEEDS");
  uint64_t first = 1;
  uint64_t last = number != nullptr ? std::strtoull(number, nullptr, 10) : seeds;
  if (replay != nullptr) first = last = std::strtoull(replay, nullptr, 10);
  int failures = 0;
  for (uint64_t seed = first; seed <= last && failures < 2; ++seed) {
    ModelRandom random(seed);
    const std::string difference = one(random);
    if (difference.empty()) continue;
    ++failures;
    FAIL_CHECK("replay with MILLRACE_SEED=" << seed << "\n" << difference);
  }
  SUCCEED(last << " seeds");
}

/// Applies a changelog to a multiset; false when a row is taken back that is not there.
inline bool apply_changes(const std::vector<std::string>& changes, std::multiset<std::string>& rows) {
  for (const std::string& change : changes) {
    const bool updating = change.starts_with(R"({"op":")");
    const std::string row = updating ? "{" + change.substr(std::string(R"({"op":"+I",)").size()) : change;
    if (!updating || change[7] == '+') {
      rows.insert(row);
      continue;
    }
    const auto found = rows.find(row);
    if (found == rows.end()) return false;
    rows.erase(found);
  }
  return true;
}

/// As model_difference, of a case whose output is a changelog: what its rows come to in the end.
inline std::string model_end_difference(const KitCase& test, ModelRandom& random,
                                        const std::multiset<std::string>& expected) {
  std::map<std::string, std::vector<std::string>> result;
  std::string difference = model_difference(test, random, &result);
  if (!difference.empty()) return difference;
  std::multiset<std::string> actual;
  const bool consistent = apply_changes(result[""], actual);
  if (consistent && actual == expected) return difference;
  difference = consistent ? "the end state differs\n" : "a row is taken back that is not there\n";
  for (const std::string& row : expected) difference += "  expected: " + row + "\n";
  for (const std::string& row : result[""]) difference += "  changelog: " + row + "\n";
  return difference + model_case_text(test);
}

}  // namespace millrace
