// Joins against calculations over plain lists of rows.
#include <list>

#include "data/datetime.h"
#include "tests/unit/operators/model/model.h"

namespace millrace {

namespace {

struct ModelJoinRow {
  std::string key;  // JSON
  int64_t n = 0;
  int64_t time = 0;
  bool matched = false;
  int side = 0;
};

bool shows_left_alone(const std::string& type) { return type == "left" || type == "full" || type == "anti"; }
bool shows_right_alone(const std::string& type) { return type == "right" || type == "full"; }
bool shows_alone(const std::string& type, int side) {
  return side == 0 ? shows_left_alone(type) : shows_right_alone(type);
}

/// `where: input1.b > input0.a`, or none.
struct ModelCondition {
  bool present = false;
  [[nodiscard]] bool passes(const ModelJoinRow& left, const ModelJoinRow& right) const {
    return left.key != "null" && left.key == right.key && (!present || right.n > left.n);
  }
};

std::string joined_row(const std::string& type, const ModelJoinRow* left, const ModelJoinRow* right) {
  const std::string key = left == nullptr ? "null" : left->key;
  const std::string a = left == nullptr ? "null" : std::to_string(left->n);
  if (type == "semi" || type == "anti") return fmt::format(R"("k":{},"a":{})", key, a);
  return fmt::format(R"("k":{},"a":{},"k2":{},"b":{})", key, a, right == nullptr ? "null" : right->key,
                     right == nullptr ? "null" : std::to_string(right->n));
}

/// Every pair of the rows that belongs together, and the rows that are shown alone.
void join_all(const std::string& type, const ModelCondition& where, std::vector<ModelJoinRow>& rows,
              const std::function<void(const ModelJoinRow*, const ModelJoinRow*)>& show) {
  for (ModelJoinRow& left : rows) {
    for (ModelJoinRow& right : rows) {
      if (left.side != 0 || right.side != 1 || !where.passes(left, right)) continue;
      left.matched = right.matched = true;
      if (type != "semi" && type != "anti") show(&left, &right);
    }
  }
  for (const ModelJoinRow& row : rows) {
    if (type == "semi" && row.side == 0 && row.matched) show(&row, nullptr);
    if (row.matched || !shows_alone(type, row.side)) continue;
    show(row.side == 0 ? &row : nullptr, row.side == 0 ? nullptr : &row);
  }
}

KitCase model_join(const std::string& kind, const std::string& type, bool where, const std::string& more) {
  KitCase test;
  const bool left_only = type == "semi" || type == "anti";
  test.step = fmt::format(
      "id: j\njoin: {{kind: {}, type: {}, left: input0, right: input1, equal: [k], select: {{k: input0.k, a: input0.a"
      "{}}}{}{}}}",
      kind, type, left_only ? "" : ", k2: input1.k, b: input1.b", where ? ", where: input1.b > input0.a" : "", more);
  test.inputs = {"k STRING, a BIGINT", "k STRING, b BIGINT"};
  test.expect[""] = {};
  return test;
}

KitEvent model_event(const ModelJoinRow& row) {
  return kit_row(fmt::format(R"({{"k":{},"{}":{}}})", row.key, row.side == 0 ? "a" : "b", row.n), row.time,
                 static_cast<uint32_t>(row.side));
}

/// Rows of two sides and watermarks in between, the end included.
void feed_join(ModelRandom& random, KitCase& test, bool late, const std::function<void(ModelJoinRow&)>& row,
               const std::function<void(int64_t)>& watermark) {
  ModelTime time(random);
  for (int64_t left = random.in(1, 45); left > 0; --left) {
    ModelJoinRow made{random.key(), random.in(0, 6), 0, false, static_cast<int>(random.in(0, 1))};
    made.time = time.row(late);
    test.events.push_back(model_event(made));
    row(made);
    if (const auto next = time.advance()) {
      test.events.push_back(kit_watermark(*next));
      watermark(*next);
    }
  }
  test.events.push_back(kit_end());
  watermark(kWatermarkMax);
}

}  // namespace

TEST_CASE("model: interval joins") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const std::string type = random.pick({"inner", "left", "right", "full", "semi", "anti"});
    const int64_t from = random.in(-12, 8);
    const int64_t to = from + random.in(0, 15);
    const ModelCondition where{random.one_in(3)};
    KitCase test =
        model_join("interval", type, where.present, fmt::format(", between: {{from: {}ms, to: {}ms}}", from, to));
    auto& expect = test.expect[""];
    std::list<ModelJoinRow> kept;
    int64_t now = kWatermarkMin;
    const auto show = [&](const ModelJoinRow* left, const ModelJoinRow* right) {
      expect.push_back("{" + joined_row(type, left, right) + "}");
    };
    const auto alone = [&](const ModelJoinRow& row) {
      if (row.matched || !shows_alone(type, row.side)) return;
      show(row.side == 0 ? &row : nullptr, row.side == 0 ? nullptr : &row);
    };
    // No partner can come once the watermark is there.
    const auto over = [&](const ModelJoinRow& row, int64_t at) {
      return at == kWatermarkMax || row.time + (row.side == 0 ? to : -from) <= at;
    };
    feed_join(
        random, test, true,
        [&](ModelJoinRow& row) {
          for (ModelJoinRow& other : kept) {
            if (other.side == row.side) continue;
            ModelJoinRow& left = row.side == 0 ? row : other;
            ModelJoinRow& right = row.side == 0 ? other : row;
            const int64_t distance = right.time - left.time;
            if (distance < from || distance > to || !where.passes(left, right)) continue;
            if (type == "semi" && !left.matched) show(&left, nullptr);
            if (type != "semi" && type != "anti") show(&left, &right);
            left.matched = right.matched = true;
          }
          if (row.key == "null" || over(row, now)) {
            alone(row);
          } else {
            kept.push_back(row);
          }
        },
        [&](int64_t watermark) {
          now = watermark;
          for (auto row = kept.begin(); row != kept.end();) {
            if (!over(*row, now)) {
              ++row;
              continue;
            }
            alone(*row);
            row = kept.erase(row);
          }
        });
    return model_difference(test, random);
  });
}

TEST_CASE("model: window joins") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const std::string type = random.pick({"inner", "left", "right", "full", "semi", "anti"});
    const int64_t size = random.in(1, 20);
    const bool sliding = random.one_in(2);
    const int64_t slide = sliding ? random.in(1, 12) : size;
    const int64_t offset = random.one_in(2) ? 0 : random.in(-20, 20);
    const ModelCondition where{random.one_in(3)};
    KitCase test =
        model_join("window", type, where.present,
                   fmt::format(", window: {{type: {}, size: {}ms, offset: {}ms{}}}", sliding ? "sliding" : "tumbling",
                               size, offset, sliding ? fmt::format(", slide: {}ms", slide) : ""));
    auto& expect = test.expect[""];
    std::map<int64_t, std::vector<ModelJoinRow>> windows;  // by end
    int64_t now = kWatermarkMin;
    const auto fire = [&](int64_t end, std::vector<ModelJoinRow>& rows) {
      const auto show = [&](const ModelJoinRow* left, const ModelJoinRow* right) {
        expect.push_back(
            fmt::format(R"({{{},"window_start":{},"window_end":{}}})", joined_row(type, left, right), end - size, end));
      };
      join_all(type, where, rows, show);
    };
    feed_join(
        random, test, true,
        [&](ModelJoinRow& row) {
          for (int64_t start = row.time - floor_mod(row.time - offset, slide); start + size > row.time;
               start -= slide) {
            if (now == kWatermarkMin || start + size - 1 > now) windows[start + size].push_back(row);
          }
        },
        [&](int64_t watermark) {
          now = watermark;
          while (!windows.empty() && windows.begin()->first - 1 <= now) {
            fire(windows.begin()->first, windows.begin()->second);
            windows.erase(windows.begin());
          }
        });
    return model_difference(test, random);
  });
}

TEST_CASE("model: temporal joins") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const std::string type = random.pick({"inner", "left"});
    const ModelCondition where{random.one_in(3)};
    KitCase test = model_join("temporal", type, where.present, "");
    auto& expect = test.expect[""];
    std::vector<ModelJoinRow> waiting;
    std::vector<ModelJoinRow> versions;  // by arrival
    ModelTime time(random);
    const auto join = [&](const ModelJoinRow& left) {
      const ModelJoinRow* valid = nullptr;
      for (const ModelJoinRow& version : versions) {
        if (version.key != left.key || version.key == "null" || version.time > left.time) continue;
        if (valid == nullptr || version.time >= valid->time) valid = &version;
      }
      if (valid != nullptr && !where.passes(left, *valid)) valid = nullptr;
      if (valid != nullptr || type == "left") expect.push_back("{" + joined_row(type, &left, valid) + "}");
    };
    const auto advance = [&](int64_t watermark) {
      for (const ModelJoinRow& left : waiting) {
        if (left.time <= watermark) join(left);
      }
      std::erase_if(waiting, [&](const ModelJoinRow& left) { return left.time <= watermark; });
      test.events.push_back(kit_watermark(watermark));
    };
    for (int64_t left = random.in(1, 45); left > 0; --left) {
      ModelJoinRow row{random.key(), random.in(0, 6), 0, false, static_cast<int>(random.in(0, 1))};
      row.time = time.row(row.side == 1);  // versions may come late
      test.events.push_back(model_event(row));
      (row.side == 0 ? waiting : versions).push_back(row);
      if (const auto next = time.advance()) advance(*next);
    }
    advance(kWatermarkMax);
    return model_difference(test, random);
  });
}

TEST_CASE("model: regular joins of changing inputs") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    const std::string type = random.pick({"inner", "left", "right", "full", "semi", "anti"});
    const ModelCondition where{random.one_in(3)};
    KitCase test = model_join("regular", type, where.present, "");
    test.expect.clear();
    test.inputs_update = random.one_in(2);
    std::vector<ModelJoinRow> rows;
    for (int64_t left = random.in(1, 50); left > 0; --left) {
      if (test.inputs_update && !rows.empty() && random.one_in(3)) {
        const auto gone = rows.begin() + random.in(0, static_cast<int64_t>(rows.size()) - 1);
        KitEvent event = model_event(*gone);
        const bool update = random.one_in(2);
        event.row_kind = static_cast<uint8_t>(update ? RowKind::kUpdateBefore : RowKind::kDelete);
        test.events.push_back(event);
        if (update) {
          gone->n = random.in(0, 6);
          event = model_event(*gone);
          event.row_kind = static_cast<uint8_t>(RowKind::kUpdateAfter);
          test.events.push_back(event);
        } else {
          rows.erase(gone);
        }
        continue;
      }
      rows.push_back({random.key(), random.in(0, 6), random.in(-50, 50), false, static_cast<int>(random.in(0, 1))});
      test.events.push_back(model_event(rows.back()));
    }
    std::multiset<std::string> expected;
    const auto show = [&](const ModelJoinRow* left, const ModelJoinRow* right) {
      expected.insert("{" + joined_row(type, left, right) + "}");
    };
    join_all(type, where, rows, show);
    return model_end_difference(test, random, expected);
  });
}

}  // namespace millrace
