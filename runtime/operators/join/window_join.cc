// Window join: rows of both sides meet in the same event-time window of the same key; a window gives its result once,
// when the watermark reaches its end. A row that is late for all its windows is counted and dropped.
#include <algorithm>
#include <map>

#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/stored_join.h"

namespace millrace {
namespace {

struct WindowSides {
  std::vector<JoinRow> rows[2];
};
using WindowState = std::map<int64_t, WindowSides>;  // by window end

struct WindowCodec {
  static void save(const WindowState& state, ByteWriter& out) {
    out.put_varint(state.size());
    for (const auto& [end, sides] : state) {
      out.put(end);
      for (const auto& side : sides.rows) {
        out.put_varint(side.size());
        for (const JoinRow& row : side) save_join_row(row, out);
      }
    }
  }
  static bool load(ByteReader& in, WindowState& state) {
    for (uint64_t windows = in.get_varint(); windows > 0 && in.ok(); --windows) {
      WindowSides& sides = state[in.get<int64_t>()];
      for (auto& side : sides.rows) {
        for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
          if (!load_join_row(in, side.emplace_back())) return false;
        }
      }
    }
    return in.ok();
  }
};

class WindowJoin final : public StoredJoin<WindowState, WindowCodec> {
 public:
  WindowJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : StoredJoin(std::move(config), std::move(pairs), "window_join") {}

 private:
  Status take(uint32_t side, JoinInputRow& in) override {
    const int64_t slide = config_->slide_ms;
    int64_t start = in.row.time - config_->offset_ms;
    start -= ((start % slide) + slide) % slide;  // right for negative times
    bool late = false;
    bool kept = false;
    for (start += config_->offset_ms; start + config_->size_ms > in.row.time; start -= slide) {
      const int64_t end = start + config_->size_ms;
      if (end - 1 <= watermark_) {
        late = true;
        continue;
      }
      kept = true;
      if (in.null_key) {
        if (!config_->keeps(static_cast<int>(side))) continue;
      }
      MR_TRY(hold(side, in, end, in.key));
    }
    if (late && !kept && context_.metrics.late_records) context_.metrics.late_records->add(1);
    return {};
  }

  Status hold(uint32_t side, const JoinInputRow& in, int64_t end, std::string_view key) {
    MR_ASSIGN(WindowState * windows, store_->at(key));
    (*windows)[end].rows[side].push_back(in.row);
    set_timer(end - 1, key);
    return {};
  }

  /// Rows with a NULL in their key wait for the window's end like others, and meet nobody. (Older snapshots have them
  /// under the key with a letter for the side behind it: that is no key, and no partner is there.)
  Result<bool> meets_nobody(const std::string& key) const {
    std::vector<TypePtr> types;
    std::vector<std::shared_ptr<Column>> columns;
    for (const uint32_t column : config_->keys[0]) {
      types.push_back(config_->inputs[0]->fields[column].type);
      columns.push_back(make_column(*types.back()));
    }
    Arena arena;
    if (!decode_key(key, types, columns, arena)) {
      return make_error(ErrorCode::kCorruptState, "a key of `window_join` cannot be decoded");
    }
    return std::ranges::any_of(columns, [](const auto& column) { return column->is_null(0); });
  }

  [[nodiscard]] bool has_timers() const override { return true; }

  Status emit(const JoinPair& pair, int64_t end) {
    return pairs_->add(pair, end - 1, RowKind::kInsert, end - config_->size_ms, end);
  }

  void timers_of(const std::string& key, const WindowState& state) override {
    for (const auto& [end, sides] : state) set_timer(end - 1, key);
  }

  Status fire(const std::string& key, int64_t time) override {
    const int64_t end = time + 1;
    MR_ASSIGN(WindowState * windows, store_->find(key));
    if (windows == nullptr) return {};
    WindowSides& sides = (*windows)[end];
    const bool both = !sides.rows[0].empty() && !sides.rows[1].empty();
    MR_ASSIGN(const bool alone, both ? meets_nobody(key) : Result<bool>(true));
    std::vector<JoinPair> candidates;
    for (JoinRow& left : sides.rows[0]) {
      candidates.clear();
      for (size_t i = 0; !alone && i < sides.rows[1].size(); ++i) candidates.push_back({&left, &sides.rows[1][i]});
      MR_TRY(pairs_->test(candidates, passes_));
      for (size_t i = 0; i < candidates.size(); ++i) {
        if (passes_[i] == 0) continue;
        ++left.matches;
        ++sides.rows[1][i].matches;
        if (config_->type != JoinType::kSemi && config_->type != JoinType::kAnti) MR_TRY(emit(candidates[i], end));
      }
      const bool shown =
          config_->type == JoinType::kSemi ? left.matches > 0 : left.matches == 0 && config_->keeps_left();
      if (shown) MR_TRY(emit({&left, nullptr}, end));
    }
    for (const JoinRow& right : sides.rows[1]) {
      if (right.matches == 0 && config_->keeps_right()) MR_TRY(emit({nullptr, &right}, end));
    }
    windows->erase(end);
    if (windows->empty()) store_->erase(key);
    return {};
  }
};

}  // namespace

Result<OperatorPtr> make_window_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<WindowJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
