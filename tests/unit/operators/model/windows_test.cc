// Tumbling, sliding and cumulating windows against a calculation that keeps every window by itself with all its rows.
#include <set>

#include "data/datetime.h"
#include "tests/unit/operators/model/model.h"

namespace millrace {

namespace {

struct ModelSpec {
  std::string type;
  int64_t size = 0;
  int64_t slide = 0;  // cumulating: step
  int64_t offset = 0;
  int64_t lateness = 0;
  bool keyed = true;
  bool purge = false;
};

using ModelWindow = std::pair<int64_t, int64_t>;  // end, start: sorted by end

/// `cnt, total, least, last, list, kinds, big` of a window's rows, as JSON members.
std::string aggregates_of(const std::vector<std::optional<int64_t>>& rows) {
  std::optional<int64_t> sum;
  std::optional<int64_t> least;
  std::optional<int64_t> last;
  std::string list;
  std::set<int64_t> kinds;
  int64_t big = 0;
  for (const auto& n : rows) {
    if (!n) continue;
    sum = sum.value_or(0) + *n;
    least = std::min(least.value_or(*n), *n);
    last = n;
    list += (list.empty() ? "" : ",") + std::to_string(*n);
    kinds.insert(*n);
    if (*n > 3) ++big;
  }
  return fmt::format(R"("cnt":{},"total":{},"least":{},"last":{},"list":{},"kinds":{},"big":{})", rows.size(),
                     json_of(sum), json_of(least), json_of(last), last ? "\"" + list + "\"" : "null", kinds.size(),
                     big);
}

const char* const kModelAggregates =
    "{cnt: COUNT(*), total: SUM(n), least: MIN(n), last: LAST_VALUE(n), list: LISTAGG(CAST(n AS STRING)), "
    "kinds: COUNT(DISTINCT n), big: COUNT(*) FILTER (WHERE n > 3)}";

class WindowModel {
 public:
  explicit WindowModel(const ModelSpec& spec) : spec_(spec) {}

  void row(const std::string& key, int64_t time, std::optional<int64_t> n, const std::string& json) {
    bool taken = false;
    const std::vector<ModelWindow> windows = windows_of(time);
    for (const ModelWindow& window : windows) {
      if (passed(window.first - 1 + spec_.lateness)) continue;
      taken = true;
      rows_[window][key].push_back(n);
      if (passed(window.first - 1)) fire(window, key);
    }
    if (!taken && (!windows.empty() || passed(time + spec_.lateness))) late.push_back(json);
  }

  void watermark(int64_t time) {
    for (auto& [window, keys] : rows_) {
      if (passed(window.first - 1) || window.first - 1 > time) continue;
      for (auto& [key, rows] : keys) fire(window, key);
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
    auto& rows = rows_[window][key];
    if (rows.empty()) return;
    fired.push_back(fmt::format(R"({{{}"window_start":{},"window_end":{},{}}})",
                                spec_.keyed ? "\"k\":" + key + "," : "", window.second, window.first,
                                aggregates_of(rows)));
    if (spec_.purge) rows.clear();
  }

  ModelSpec spec_;
  int64_t watermark_ = kWatermarkMin;
  std::map<ModelWindow, std::map<std::string, std::vector<std::optional<int64_t>>>> rows_;
};

ModelSpec random_model_spec(ModelRandom& random) {
  ModelSpec spec;
  spec.type = random.pick({"tumbling", "sliding", "cumulating"});
  spec.slide = random.in(1, 12);
  spec.size = spec.type == "cumulating" ? spec.slide * random.in(1, 5) : random.in(1, 30);
  if (random.one_in(5)) {  // windows of many panes: sums of blocks
    spec.slide = random.in(1, 3);
    spec.size = spec.slide * random.in(12, 100) + (spec.type == "sliding" ? random.in(0, 2) : 0);
  }
  spec.offset = random.one_in(2) ? 0 : random.in(-20, 20);
  spec.lateness = random.one_in(2) ? 0 : random.in(1, 25);
  spec.keyed = !random.one_in(8);
  spec.purge = spec.type == "tumbling" && random.one_in(4);
  return spec;
}

std::string model_step(const ModelSpec& spec) {
  std::string window = fmt::format("type: {}, size: {}ms, offset: {}ms, allowed_lateness: {}ms", spec.type, spec.size,
                                   spec.offset, spec.lateness);
  if (spec.type == "sliding") window += fmt::format(", slide: {}ms", spec.slide);
  if (spec.type == "cumulating") window += fmt::format(", step: {}ms", spec.slide);
  if (spec.purge) window += ", accumulate: false";
  return fmt::format("id: w\n{}window: {{{}}}\naggregate: {}", spec.keyed ? "key_by: [k]\n" : "", window,
                     kModelAggregates);
}

}  // namespace

TEST_CASE("model: windows") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const ModelSpec spec = random_model_spec(random);
    WindowModel model(spec);
    KitCase test;
    test.step = model_step(spec);
    test.inputs = {"k STRING, n INT"};
    ModelTime time(random);
    for (int64_t left = random.in(1, 60); left > 0; --left) {
      const std::string key = random.key();
      const int64_t at = time.row();
      std::optional<int64_t> n;
      if (!random.one_in(5)) n = random.in(-8, 8);
      const std::string json = fmt::format(R"({{"k":{},"n":{}}})", key, json_of(n));
      model.row(spec.keyed ? key : "", at, n, json);
      test.events.push_back(kit_row(json, at));
      if (const auto watermark = time.advance()) {
        model.watermark(*watermark);
        test.events.push_back(kit_watermark(*watermark));
      }
    }
    model.watermark(kWatermarkMax);
    test.events.push_back(kit_end());
    test.expect[""] = model.fired;
    test.expect["late"] = model.late;
    return model_difference(test, random);
  });
}

namespace {

struct ModelSession {
  int64_t start = 0;
  int64_t end = 0;
  std::vector<std::pair<int, std::optional<int64_t>>> rows;  // by arrival
};

/// Every key has a list of sessions; each keeps its rows.
class SessionModel {
 public:
  explicit SessionModel(int64_t lateness) : lateness_(lateness) {}

  void row(const std::string& key, int64_t time, int64_t gap, std::optional<int64_t> n, const std::string& json) {
    ModelSession merged{time, time + gap, {{arrival_++, n}}};
    std::vector<ModelSession> apart;
    for (const ModelSession& session : sessions_[key]) {
      if (session.start > time + gap || session.end < time) {
        apart.push_back(session);
        continue;
      }
      merged.start = std::min(merged.start, session.start);
      merged.end = std::max(merged.end, session.end);
      merged.rows.insert(merged.rows.end(), session.rows.begin(), session.rows.end());
    }
    if (passed(merged.end - 1 + lateness_)) {
      late.push_back(json);
      return;
    }
    std::ranges::sort(merged.rows);
    if (passed(merged.end - 1)) fire(key, merged);
    apart.push_back(std::move(merged));
    sessions_[key] = std::move(apart);
  }

  void watermark(int64_t time) {
    for (auto& [key, sessions] : sessions_) {
      for (const ModelSession& session : sessions) {
        if (!passed(session.end - 1) && session.end - 1 <= time) fire(key, session);
      }
      std::erase_if(sessions, [&](const ModelSession& session) {
        return time == kWatermarkMax || session.end - 1 + lateness_ <= time;
      });
    }
    watermark_ = time;
  }

  std::vector<std::string> fired;
  std::vector<std::string> late;

 private:
  [[nodiscard]] bool passed(int64_t time) const { return watermark_ != kWatermarkMin && time <= watermark_; }
  void fire(const std::string& key, const ModelSession& session) {
    std::vector<std::optional<int64_t>> rows;
    for (const auto& [arrival, n] : session.rows) rows.push_back(n);
    fired.push_back(fmt::format(R"({{"k":{},"window_start":{},"window_end":{},{}}})", key, session.start, session.end,
                                aggregates_of(rows)));
  }

  int64_t lateness_;
  int64_t watermark_ = kWatermarkMin;
  int arrival_ = 0;
  std::map<std::string, std::vector<ModelSession>> sessions_;
};

}  // namespace

TEST_CASE("model: sessions that merge, also after they fired") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const int64_t lateness = random.one_in(3) ? 0 : random.in(1, 40);
    const bool per_row = random.one_in(2);
    const int64_t fixed = random.in(1, 12);
    SessionModel model(lateness);
    KitCase test;
    test.step =
        fmt::format("id: s\nkey_by: [k]\nwindow: {{type: session, gap: {}, allowed_lateness: {}ms}}\naggregate: {}",
                    per_row ? "g" : fmt::format("{}ms", fixed), lateness, kModelAggregates);
    test.inputs = {"k STRING, n INT, g INT"};
    ModelTime time(random);
    for (int64_t left = random.in(1, 60); left > 0; --left) {
      const std::string key = random.key();
      const int64_t at = time.row();
      const int64_t gap = per_row ? random.in(1, 15) : fixed;
      std::optional<int64_t> n;
      if (!random.one_in(5)) n = random.in(-8, 8);
      const std::string json = fmt::format(R"({{"k":{},"n":{},"g":{}}})", key, json_of(n), gap);
      model.row(key, at, gap, n, json);
      test.events.push_back(kit_row(json, at));
      if (const auto watermark = time.advance()) {
        model.watermark(*watermark);
        test.events.push_back(kit_watermark(*watermark));
      }
    }
    model.watermark(kWatermarkMax);
    test.events.push_back(kit_end());
    test.expect[""] = model.fired;
    test.expect["late"] = model.late;
    return model_difference(test, random);
  });
}

TEST_CASE("model: count windows") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const int64_t size = random.in(1, 7);
    const int64_t slide = random.one_in(3) ? size : random.in(1, 9);
    KitCase test;
    test.step = fmt::format("id: c\nkey_by: [k]\nwindow: {{type: count, size: {}, slide: {}}}\naggregate: {}", size,
                            slide, kModelAggregates);
    test.inputs = {"k STRING, n INT"};
    test.expect[""] = {};
    std::map<std::string, std::vector<std::optional<int64_t>>> rows;
    ModelTime time(random);
    for (int64_t left = random.in(1, 60); left > 0; --left) {
      const std::string key = random.key();
      std::optional<int64_t> n;
      if (!random.one_in(5)) n = random.in(-8, 8);
      test.events.push_back(kit_row(fmt::format(R"({{"k":{},"n":{}}})", key, json_of(n)), time.row()));
      auto& all = rows[key];
      all.push_back(n);
      if (all.size() % static_cast<size_t>(slide) == 0) {
        const size_t take = std::min(all.size(), static_cast<size_t>(size));
        const std::vector<std::optional<int64_t>> last(all.end() - static_cast<std::ptrdiff_t>(take), all.end());
        test.expect[""].push_back(fmt::format(R"({{"k":{},{}}})", key, aggregates_of(last)));
      }
      if (const auto watermark = time.advance()) test.events.push_back(kit_watermark(*watermark));
    }
    test.events.push_back(kit_end());
    return model_difference(test, random);
  });
}

}  // namespace millrace
