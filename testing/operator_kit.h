// The operator test kit: one case, run in every way that a driver may treat an operator, always with the same answer:
// all rows at once, row by row, results read late, snapshot and restore after every first and every second batch,
// rescaled 1 -> 2 -> 1. In all of them: at most one batch per port and call, the input batch untouched until
// kNeedInput, and no row behind a watermark that was passed on, unless the row that caused it was late.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "runtime/spi/factories.h"

namespace millrace {

struct KitEvent {
  enum class Kind : uint8_t { kRow, kWatermark, kClock };
  Kind kind = Kind::kRow;
  uint32_t input = 0;
  std::string row;         // JSON object
  int64_t event_time = 0;  // kRow
  int64_t watermark = 0;   // kWatermark; kClock: the new wall time
  uint8_t row_kind = 0;    // RowKind
};

KitEvent kit_row(std::string row, int64_t event_time, uint32_t input = 0);
KitEvent kit_watermark(int64_t watermark);
KitEvent kit_end();
/// Moves the wall clock and fires the processing-time timers that are due.
KitEvent kit_clock(int64_t wall_ms);

struct KitCase {
  std::string step;                 // the step as YAML: "id: w\nfilter: n > 1"
  std::vector<std::string> inputs;  // schemas: "user STRING, n BIGINT"
  std::vector<KitEvent> events;
  /// Rows per port ("" = main) as JSON lines in any order, updates with a leading "+U ". Ports that are not named are
  /// not compared. Without any port the first mode's rows are what the other modes must give.
  std::map<std::string, std::vector<std::string>> expect;
  bool inputs_update = false;  // binds the inputs as retract streams
  bool ordered = false;        // compare the order of rows too, where one subtask runs
};

/// Restoring after every batch is quadratic: too much for cases of thousands of rows.
enum class KitModes : uint8_t { kAll, kWithoutRestore };

/// What went wrong, one text per mode; empty when all modes agree. `rows`, when given, receives the rows of the first
/// mode.
std::vector<std::string> run_operator_case(const Registry& registry, const KitCase& test,
                                           std::map<std::string, std::vector<std::string>>* rows = nullptr,
                                           KitModes modes = KitModes::kAll);

/// Runs the case once, in a way drawn at random: for comparisons with a calculation over thousands of cases. Nothing is
/// compared where the case expects nothing; `rows`, when given, receives all rows.
std::vector<std::string> run_operator_case_drawn(const Registry& registry, const KitCase& test, Random& random,
                                                 std::map<std::string, std::vector<std::string>>* rows = nullptr);

/// Plans one step without a job file around it; the diagnostics' texts when it does not bind.
Result<Node> bind_single_step(const Registry& registry, const std::string& step, const std::vector<std::string>& inputs,
                              bool inputs_update = false);

}  // namespace millrace
