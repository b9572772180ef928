// Windows against a plain offline calculation: random rows, watermarks, sizes, slides, offsets and lateness from a
// seed, every one of them in all modes of the operator kit.
#include <fmt/format.h>

#include <optional>

#include "core/random.h"
#include "data/datetime.h"
#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

struct ModelSpec {
  std::string type;
  int64_t size = 0;
  int64_t slide = 0;  // cumulating: step
  int64_t offset = 0;
  int64_t lateness = 0;
};

struct ModelRow {
  int64_t time = 0;
  std::optional<int64_t> n;
};

using ModelWindow = std::pair<int64_t, int64_t>;  // end, start: sorted by end

/// Every window is kept by itself, with all of its rows.
class WindowModel {
 public:
  explicit WindowModel(const ModelSpec& spec) : spec_(spec) {}

  void row(const std::string& key, const ModelRow& row, const std::string& json) {
    bool taken = false;
    const std::vector<ModelWindow> windows = windows_of(row.time);
    for (const ModelWindow& window : windows) {
      if (passed(window.first - 1 + spec_.lateness)) continue;
      taken = true;
      rows_[window][key].push_back(row);
      if (passed(window.first - 1)) fire(window, key);
    }
    if (!taken && (!windows.empty() || passed(row.time + spec_.lateness))) late.push_back(json);
  }

  void watermark(int64_t time) {
    for (const auto& [window, keys] : rows_) {
      if (passed(window.first - 1) || window.first - 1 > time) continue;
      for (const auto& [key, rows] : keys) fire(window, key);
    }
    watermark_ = time;
  }

  std::vector<std::string> fired;
  std::vector<std::string> late;

 private:
  [[nodiscard]] bool passed(int64_t time) const { return watermark_ != kWatermarkMin && time <= watermark_; }

  [[nodiscard]] std::vector<ModelWindow> windows_of(int64_t time) const {
    std::vector<ModelWindow> windows;
    if (spec_.type == "cumulating") {
      const int64_t start = time - floor_mod(time - spec_.offset, spec_.size);
      for (int64_t end = start + spec_.slide; end <= start + spec_.size; end += spec_.slide) {
        if (end > time) windows.emplace_back(end, start);
      }
      return windows;
    }
    const int64_t slide = spec_.type == "tumbling" ? spec_.size : spec_.slide;
    for (int64_t start = time - floor_mod(time - spec_.offset, slide); start + spec_.size > time; start -= slide) {
      windows.insert(windows.begin(), {start + spec_.size, start});
    }
    return windows;
  }

  void fire(const ModelWindow& window, const std::string& key) {
    int64_t count = 0;
    int64_t sum = 0;
    std::optional<int64_t> least;
    std::optional<int64_t> last;
    std::string list;
    for (const ModelRow& row : rows_[window][key]) {
      ++count;
      if (!row.n) continue;
      sum += *row.n;
      least = least ? std::min(*least, *row.n) : *row.n;
      last = row.n;
      list += (list.empty() ? "" : ",") + std::to_string(*row.n);
    }
    const auto text = [](std::optional<int64_t> value) { return value ? std::to_string(*value) : "null"; };
    fired.push_back(
        fmt::format(R"({{"k":"{}","window_start":{},"window_end":{},"cnt":{},"total":{},"least":{},"last":{},)"
                    R"("list":{}}})",
                    key, window.second, window.first, count, last ? std::to_string(sum) : "null", text(least),
                    text(last), last ? "\"" + list + "\"" : "null"));
  }

  ModelSpec spec_;
  int64_t watermark_ = kWatermarkMin;
  std::map<ModelWindow, std::map<std::string, std::vector<ModelRow>>> rows_;
};

ModelSpec random_model_spec(Random& random) {
  ModelSpec spec;
  const uint64_t kind = random.below(3);
  spec.type = kind == 0 ? "tumbling" : kind == 1 ? "sliding" : "cumulating";
  spec.slide = 1 + static_cast<int64_t>(random.below(12));
  spec.size =
      kind == 2 ? spec.slide * (1 + static_cast<int64_t>(random.below(5))) : 1 + static_cast<int64_t>(random.below(30));
  spec.offset = static_cast<int64_t>(random.below(41)) - 20;
  spec.lateness = random.below(2) == 0 ? 0 : static_cast<int64_t>(random.below(25));
  return spec;
}

std::string model_step(const ModelSpec& spec) {
  std::string window = fmt::format("type: {}, size: {}ms, offset: {}ms, allowed_lateness: {}ms", spec.type, spec.size,
                                   spec.offset, spec.lateness);
  if (spec.type == "sliding") window += fmt::format(", slide: {}ms", spec.slide);
  if (spec.type == "cumulating") window += fmt::format(", step: {}ms", spec.slide);
  return fmt::format(
      "id: w\nkey_by: [k]\nwindow: {{{}}}\n"
      "aggregate: {{cnt: COUNT(*), total: SUM(n), least: MIN(n), last: LAST_VALUE(n), list: LISTAGG(CAST(n AS "
      "STRING))}}",
      window);
}

}  // namespace

TEST_CASE("windows equal an offline calculation for every seed") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SeededRandom random(seed);
    const ModelSpec spec = random_model_spec(random);
    WindowModel model(spec);
    KitCase test;
    test.step = model_step(spec);
    test.inputs = {"k STRING, n INT"};
    int64_t newest = -50;
    int64_t watermark = kWatermarkMin;
    for (int i = 0; i < 60; ++i) {
      const std::string key(1, static_cast<char>('a' + random.below(3)));
      ModelRow row;
      row.time = newest + static_cast<int64_t>(random.below(40)) - 25;
      if (random.below(5) != 0) row.n = static_cast<int64_t>(random.below(100)) - 50;
      newest = std::max(newest, row.time);
      const std::string n = row.n ? std::to_string(*row.n) : "null";
      const std::string json = fmt::format(R"({{"k":"{}","n":{}}})", key, n);
      model.row(key, row, json);
      test.events.push_back(kit_row(json, row.time));
      if (random.below(4) != 0) continue;
      const int64_t next = newest - static_cast<int64_t>(random.below(15));
      if (next <= watermark) continue;
      watermark = next;
      model.watermark(watermark);
      test.events.push_back(kit_watermark(watermark));
    }
    model.watermark(kWatermarkMax);
    test.events.push_back(kit_end());
    test.expect[""] = model.fired;
    test.expect["late"] = model.late;
    INFO("seed " << seed << ": " << test.step);
    check_operator(test);
  }
}

}  // namespace millrace
