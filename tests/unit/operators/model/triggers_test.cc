// Global windows with nested triggers against a calculation per key.
#include <algorithm>

#include "tests/unit/operators/model/model.h"

namespace millrace {

namespace {

/// A condition as text and as a question: rows since the last firing, time since the first of them.
struct ModelTrigger {
  std::string text;
  std::function<bool(int64_t rows, int64_t elapsed)> fires;
};

ModelTrigger random_trigger(ModelRandom& random, int depth, std::vector<int64_t>& times) {
  if (depth == 0 || random.one_in(2)) {
    if (random.one_in(2)) {
      const int64_t rows = random.in(1, 6);
      return {fmt::format("{{every_rows: {}}}", rows), [rows](int64_t count, int64_t) { return count >= rows; }};
    }
    const int64_t time = random.in(1, 25);
    times.push_back(time);
    return {fmt::format("{{every: {}ms}}", time), [time](int64_t, int64_t elapsed) { return elapsed >= time; }};
  }
  const bool all = random.one_in(2);
  std::vector<ModelTrigger> parts;
  std::string text;
  for (int64_t i = random.in(1, 3); i > 0; --i) {
    parts.push_back(random_trigger(random, depth - 1, times));
    text += (text.empty() ? "" : ", ") + parts.back().text;
  }
  return {fmt::format("{{{}: [{}]}}", all ? "all" : "any", text), [all, parts](int64_t rows, int64_t elapsed) {
            const auto fires = [&](const ModelTrigger& part) { return part.fires(rows, elapsed); };
            return all ? std::ranges::all_of(parts, fires) : std::ranges::any_of(parts, fires);
          }};
}

struct ModelGlobalWindow {
  int64_t kept = 0;  // rows in the window
  int64_t sum = 0;
  int64_t rows = 0;     // since the last firing
  int64_t first = 0;    // time of the first of them
  int64_t elapsed = 0;  // as far as timers have told
};

}  // namespace

TEST_CASE("model: global windows with nested triggers") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    std::vector<int64_t> times;
    const ModelTrigger trigger = random_trigger(random, 3, times);
    std::ranges::sort(times);
    const bool purge = random.one_in(2);
    KitCase test;
    test.step = fmt::format(
        "id: g\nkey_by: [k]\nwindow: {{type: global, trigger: {{any: [{}], purge: {}}}}}\n"
        "aggregate: {{cnt: COUNT(*), total: SUM(n)}}",
        trigger.text, purge);
    test.inputs = {"k STRING, n BIGINT"};
    test.expect[""] = {};
    std::map<std::string, ModelGlobalWindow> windows;
    const auto fire_if_due = [&](const std::string& key, ModelGlobalWindow& window) {
      if (!trigger.fires(window.rows, window.elapsed)) return false;
      test.expect[""].push_back(fmt::format(R"({{"k":{},"cnt":{},"total":{}}})", key, window.kept, window.sum));
      window.rows = 0;
      if (purge) window = {};
      return true;
    };
    const auto advance = [&](int64_t watermark) {
      for (auto& [key, window] : windows) {
        for (const int64_t time : times) {
          if (window.rows == 0 || time <= window.elapsed || window.first + time > watermark) continue;
          window.elapsed = time;
          if (fire_if_due(key, window)) break;
        }
      }
      test.events.push_back(kit_watermark(watermark));
    };
    ModelTime time(random);
    for (int64_t left = random.in(1, 60); left > 0; --left) {
      const std::string key = random.key();
      const int64_t n = random.in(-8, 8);
      const int64_t at = time.row();
      test.events.push_back(kit_row(fmt::format(R"({{"k":{},"n":{}}})", key, n), at));
      ModelGlobalWindow& window = windows[key];
      ++window.kept;
      window.sum += n;
      if (window.rows++ == 0) {
        window.first = at;
        window.elapsed = 0;
      }
      fire_if_due(key, window);
      if (const auto watermark = time.advance()) advance(*watermark);
    }
    advance(kWatermarkMax);
    return model_difference(test, random);
  });
}

}  // namespace millrace
