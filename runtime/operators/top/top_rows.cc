#include "runtime/operators/top/top_rows.h"

#include <map>
#include <string>

#include "data/datetime.h"
#include "data/row_codec.h"
#include "runtime/operators/row_output.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

/// From order key and arrival number to the row.
using TopList = std::map<std::string, std::string>;

struct TopState {
  std::map<int64_t, TopList> windows;  // by start; without windows one at 0
};

struct TopCodec {
  static void save(const TopState& state, ByteWriter& out) {
    out.put_varint(state.windows.size());
    for (const auto& [start, list] : state.windows) {
      out.put(start);
      out.put_varint(list.size());
      for (const auto& [order, bytes] : list) {
        out.put_string(order);
        out.put_string(bytes);
      }
    }
  }
  static bool load(ByteReader& in, TopState& state) {
    for (uint64_t windows = in.get_varint(); windows > 0 && in.ok(); --windows) {
      TopList& list = state.windows[in.get<int64_t>()];
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        std::string order(in.get_string());
        list.emplace_hint(list.end(), std::move(order), in.get_string());
      }
    }
    return in.ok();
  }
};

class TopOperator final : public TimedRows<TopState, TopCodec> {
 public:
  TopOperator(std::shared_ptr<const TopConfig> config, std::unique_ptr<OrderKeys> order)
      : TimedRows(RowInput(config->input, config->keys), "top"),
        config_(std::move(config)),
        order_(std::move(order)),
        top_(config_->input, config_->output->size() - config_->input->size()),
        late_(config_->input) {}

 protected:
  Status start(const Batch& batch) override { return order_->start(batch); }

  Status take(const Batch& batch, const InputRow& in) override {
    order_text_.clear();
    std::string& order = order_text_;
    order_->append(in.row, order);
    std::string bytes;
    if (config_->windowed()) {
      encode_row(batch, in.row, bytes);
      return take_windowed(in, order, bytes);
    }
    MR_ASSIGN(TopState * state, store_->at(in.key));
    TopList& list = state->windows[0];
    if (in.taken_back()) {
      encode_row(batch, in.row, bytes);
      MR_TRY(remove(list, order, bytes, in.time));
      if (list.empty()) store_->erase(in.key);
      return {};
    }
    append_order_number(arrival_, order);
    // Most rows of a long list stand behind its end.
    if (!config_->updating && list.size() >= config_->n && list.rbegin()->first < order) return {};
    encode_row(batch, in.row, bytes);
    return insert(list, list.emplace(order, std::move(bytes)).first, in.time);
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(TopState * state, store_->find(key));
    if (state == nullptr) return {};
    const int64_t start = time + 1 - config_->size_ms;
    const auto window = state->windows.find(start);
    if (window == state->windows.end()) return {};
    int64_t rank = 0;
    for (const auto& [order, bytes] : window->second) {
      ++rank;
      MR_TRY(config_->rank ? top_.add(bytes, time, RowKind::kInsert, {start, time + 1, rank})
                           : top_.add(bytes, time, RowKind::kInsert, {start, time + 1}));
    }
    state->windows.erase(window);
    if (state->windows.empty()) store_->erase(key);
    return {};
  }

  void timers_of(const std::string& key, const TopState& state) override {
    if (!config_->windowed()) return;
    for (const auto& [start, list] : state.windows) set_timer(start + config_->size_ms - 1, key);
  }

  [[nodiscard]] bool has_timers() const override { return config_->windowed(); }

  [[nodiscard]] bool full() const override { return top_.full() || late_.full(); }
  void flush(Output& out) override {
    top_.flush(out, 0);
    late_.flush(out, 1);
  }

 private:
  Status take_windowed(const InputRow& in, std::string& order, const std::string& bytes) {
    append_order_number(arrival_, order);
    bool taken = false;
    int64_t start = in.time - floor_mod(in.time - config_->offset_ms, config_->slide_ms);
    for (; start > in.time - config_->size_ms; start -= config_->slide_ms) {
      const int64_t last = start + config_->size_ms - 1;
      if (last <= watermark_) continue;
      MR_ASSIGN(TopState * state, store_->at(in.key));
      TopList& list = state->windows[start];
      list.emplace(order, bytes);
      if (list.size() > config_->n) list.erase(std::prev(list.end()));
      set_timer(last, in.key);
      taken = true;
    }
    if (taken) return {};
    count_late();
    return late_.add(bytes, in.time);
  }

  /// Changes carry the time of the row that caused them.
  Status change(const std::string& bytes, RowKind kind, size_t place, int64_t time) {
    return config_->rank ? top_.add(bytes, time, kind, {static_cast<int64_t>(place + 1)}) : top_.add(bytes, time, kind);
  }

  /// The place of an element among the first n; n when it lies behind them.
  [[nodiscard]] size_t place_of(const TopList& list, TopList::const_iterator element) const {
    size_t place = 0;
    for (auto at = list.begin(); at != element && place < config_->n; ++at) ++place;
    return place;
  }

  Status insert(TopList& list, TopList::iterator element, int64_t time) {
    const size_t place = place_of(list, element);
    if (place < config_->n) {
      MR_TRY(config_->rank ? push_down(list, element, place, time) : let_in(list, element, time));
    }
    if (!config_->updating && list.size() > config_->n) list.erase(std::prev(list.end()));
    return {};
  }

  Status let_in(TopList& list, TopList::iterator element, int64_t time) {
    if (list.size() > config_->n) {
      const auto out = std::next(list.begin(), static_cast<std::ptrdiff_t>(config_->n));
      MR_TRY(change(out->second, RowKind::kDelete, 0, time));
    }
    return change(element->second, RowKind::kInsert, 0, time);
  }

  /// Everything from `place` on stands one place lower than before.
  Status push_down(TopList& list, TopList::iterator element, size_t place, int64_t time) {
    for (auto now = element; now != list.end() && place < config_->n; ++now, ++place) {
      const auto before = std::next(now);
      if (before == list.end()) return change(now->second, RowKind::kInsert, place, time);
      MR_TRY(change(before->second, RowKind::kUpdateBefore, place, time));
      MR_TRY(change(now->second, RowKind::kUpdateAfter, place, time));
    }
    return {};
  }

  Status remove(TopList& list, const std::string& order, const std::string& bytes, int64_t time) {
    auto element = list.lower_bound(order);
    while (element != list.end() && element->first.starts_with(order) && element->second != bytes) ++element;
    if (element == list.end() || !element->first.starts_with(order)) return {};
    size_t place = place_of(list, element);
    const auto next = list.erase(element);
    if (place >= config_->n) return {};
    if (!config_->rank) {
      MR_TRY(change(bytes, RowKind::kDelete, 0, time));
      if (list.size() < config_->n) return {};
      const auto in = std::next(list.begin(), static_cast<std::ptrdiff_t>(config_->n - 1));
      return change(in->second, RowKind::kInsert, 0, time);
    }
    const std::string* before = &bytes;
    for (auto now = next; place < config_->n; ++now, ++place) {
      if (now == list.end()) return change(*before, RowKind::kDelete, place, time);
      MR_TRY(change(*before, RowKind::kUpdateBefore, place, time));
      MR_TRY(change(now->second, RowKind::kUpdateAfter, place, time));
      before = &now->second;
    }
    return {};
  }

  std::shared_ptr<const TopConfig> config_;
  std::unique_ptr<OrderKeys> order_;
  RowOutput top_;
  RowOutput late_;
  std::string order_text_;  // of the row in work
};

}  // namespace

Result<OperatorPtr> make_top(std::shared_ptr<const TopConfig> config) {
  MR_ASSIGN(auto order, OrderKeys::make(config->order));
  return std::make_unique<TopOperator>(std::move(config), std::move(order));
}

}  // namespace millrace
