// Running aggregates over inputs that change against the aggregates of what is left at the end.
#include <algorithm>

#include "tests/unit/operators/model/model.h"

namespace millrace {

namespace {

struct ModelAggregateRow {
  std::string key;
  std::optional<int64_t> n;
  [[nodiscard]] std::string json() const { return fmt::format(R"({{"k":{},"n":{}}})", key, json_of(n)); }
};

std::string running_result(const std::string& key, const std::vector<ModelAggregateRow>& rows) {
  int64_t count = 0;
  std::vector<int64_t> values;
  for (const ModelAggregateRow& row : rows) {
    if (row.key != key) continue;
    ++count;
    if (row.n) values.push_back(*row.n);
  }
  int64_t sum = 0;
  for (const int64_t value : values) sum += value;
  std::ranges::sort(values);
  const auto or_null = [&](int64_t value) { return values.empty() ? "null" : std::to_string(value); };
  const std::string least = values.empty() ? "null" : std::to_string(values.front());
  const std::string most = values.empty() ? "null" : std::to_string(values.back());
  const std::string mean = values.empty() ? "null" : std::to_string(sum / static_cast<int64_t>(values.size()));
  const auto big = std::ranges::count_if(values, [](int64_t value) { return value > 3; });
  const auto kinds = static_cast<int64_t>(std::set<int64_t>(values.begin(), values.end()).size());
  return fmt::format(R"({{"k":{},"cnt":{},"cn":{},"total":{},"mean":{},"least":{},"most":{},"kinds":{},"big":{}}})",
                     key, count, values.size(), or_null(sum), mean, least, most, kinds, big);
}

}  // namespace

TEST_CASE("model: running aggregates of changing inputs") {
  for_each_model_seed(10'000, [](ModelRandom& random) {
    KitCase test;
    test.step =
        "id: a\nkey_by: [k]\naggregate: {cnt: COUNT(*), cn: COUNT(n), total: SUM(n), mean: AVG(n), least: MIN(n), "
        "most: MAX(n), kinds: COUNT(DISTINCT n), big: COUNT(*) FILTER (WHERE n > 3)}";
    test.inputs = {"k STRING, n INT"};
    test.inputs_update = random.one_in(2);
    std::vector<ModelAggregateRow> rows;
    const auto event = [&](const ModelAggregateRow& row, RowKind kind) {
      test.events.push_back(kit_row(row.json(), 0));
      test.events.back().row_kind = static_cast<uint8_t>(kind);
    };
    const auto value = [&]() -> std::optional<int64_t> {
      return random.one_in(5) ? std::nullopt : std::optional(random.in(-8, 8));
    };
    for (int64_t left = random.in(1, 60); left > 0; --left) {
      if (!test.inputs_update || rows.empty() || random.one_in(2)) {
        rows.push_back({random.key(), value()});
        event(rows.back(), RowKind::kInsert);
        continue;
      }
      const auto gone = rows.begin() + random.in(0, static_cast<int64_t>(rows.size()) - 1);
      const bool update = random.one_in(2);
      event(*gone, update ? RowKind::kUpdateBefore : RowKind::kDelete);
      if (update) {
        gone->n = value();
        event(*gone, RowKind::kUpdateAfter);
      } else {
        rows.erase(gone);
      }
    }
    std::set<std::string> keys;
    for (const ModelAggregateRow& row : rows) keys.insert(row.key);
    std::multiset<std::string> expected;
    for (const std::string& key : keys) expected.insert(running_result(key, rows));
    return model_end_difference(test, random, expected);
  });
}

}  // namespace millrace
