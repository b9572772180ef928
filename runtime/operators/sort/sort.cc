#include "runtime/operators/sort/sort.h"

#include <algorithm>

#include "data/row_codec.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/order_key.h"
#include "runtime/operators/row_output.h"
#include "runtime/operators/state_fields.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

struct SortConfig final : OperatorConfig {
  SchemaPtr schema;
  std::vector<uint32_t> keys;
  OrderBy then;
  std::string then_text;
};

struct SortRow {
  std::string order;
  std::string bytes;
};

struct SortState {
  std::map<int64_t, std::vector<SortRow>> rows;  // by time; in order of arrival
};

struct SortCodec {
  static void save(const SortState& state, ByteWriter& out) {
    out.put_varint(state.rows.size());
    for (const auto& [time, rows] : state.rows) {
      out.put(time);
      out.put_varint(rows.size());
      for (const SortRow& row : rows) {
        out.put_string(row.order);
        out.put_string(row.bytes);
      }
    }
  }
  static bool load(ByteReader& in, SortState& state) {
    for (uint64_t times = in.get_varint(); times > 0 && in.ok(); --times) {
      std::vector<SortRow>& rows = state.rows[in.get<int64_t>()];
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        SortRow& row = rows.emplace_back();
        row.order = in.get_string();
        row.bytes = in.get_string();
      }
    }
    return in.ok();
  }
};

class SortOperator final : public TimedRows<SortState, SortCodec> {
 public:
  SortOperator(std::shared_ptr<const SortConfig> config, std::unique_ptr<OrderKeys> then)
      : TimedRows(RowInput(config->schema, config->keys), "sort"),
        then_(std::move(then)),
        sorted_(config->schema),
        late_(config->schema) {}

 protected:
  Status start(const Batch& batch) override { return then_->start(batch); }

  Status take(const Batch& batch, const InputRow& in) override {
    SortRow row;
    encode_row(batch, in.row, row.bytes);
    if (in.time <= watermark_) {
      count_late();
      return late_.add(row.bytes, in.time);
    }
    then_->append(in.row, row.order);
    MR_ASSIGN(SortState * state, store_->at(in.key));
    state->rows[in.time].push_back(std::move(row));
    set_timer(in.time, in.key);
    return {};
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(SortState * state, store_->find(key));
    if (state == nullptr) return {};
    const auto at = state->rows.find(time);
    if (at == state->rows.end()) return {};
    std::vector<SortRow>& rows = at->second;
    std::ranges::stable_sort(rows, {}, &SortRow::order);
    const size_t count = std::min<size_t>(rows.size(), kBatchRowsMax / 2);
    for (size_t i = 0; i < count; ++i) MR_TRY(sorted_.add(rows[i].bytes, time));
    if (count < rows.size()) {
      rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
      set_timer(time, key);
      return {};
    }
    state->rows.erase(at);
    if (state->rows.empty()) store_->erase(key);
    return {};
  }

  void timers_of(const std::string& key, const SortState& state) override {
    for (const auto& [time, rows] : state.rows) set_timer(time, key);
  }

  [[nodiscard]] bool full() const override { return sorted_.full() || late_.full(); }
  void flush(Output& out) override {
    sorted_.flush(out, 0);
    late_.flush(out, 1);
  }

 private:
  std::unique_ptr<OrderKeys> then_;
  RowOutput sorted_;
  RowOutput late_;
};

std::vector<StateSchema> sort_states(const SortConfig& config) {
  StateSchema state;
  state.name = "sort";
  state.form = "sort";
  state.rules = {{"then", config.then_text}};
  state.key = {key_field(*config.schema, config.keys)};
  state.value = {list_field(
      "times", {state_field("time", StateForm::kTime),
                list_field("rows", {state_field("order", StateForm::kBytes), row_field("row", *config.schema)})})};
  return {std::move(state), progress_schema("sort_progress")};
}

std::optional<BoundOperator> bind_sort(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  const Located& tree = context.options->located("sort");
  const auto keys = bind_keys(context);
  if (!require_append(context, "sort") || !keys) return std::nullopt;
  auto config = std::make_shared<SortConfig>();
  config->schema = input.schema;
  config->keys = *keys;
  if (tree.kind == Located::Kind::kMap) {
    for (const Located::Entry& entry : tree.entries) {
      if (entry.key == "then") continue;
      context.diagnostics->error(ErrorCode::kUnknownField, entry.key_position,
                                 "unknown field `" + entry.key + "` in `sort`", "it has `then` only");
      return std::nullopt;
    }
    if (const Located* then = tree.find("then")) {
      auto order = bind_order_by(context, *then);
      if (!order) return std::nullopt;
      config->then = std::move(*order);
      config->then_text = order_text(*then);
    }
  }
  BoundOperator bound;
  bound.outputs = {Port{"", input.schema, Changelog::kAppend, {}}, Port{"late", input.schema, Changelog::kAppend, {}}};
  bound.partitioning = {keys->empty() ? Partitioning::kGlobal : Partitioning::kHash};
  bound.key_columns = {*keys};
  bound.stateful = true;
  bound.states = sort_states(*config);
  bound.single_subtask = keys->empty();
  bound.detail = "by event time";
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_sort(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "sort";
  descriptor.help =
      "Puts rows into the order of their event time, per key or all; rows at or below the watermark go to "
      "`.late`.";
  OptionDescriptor field;
  field.name = "sort";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "`then: [..]`: how rows of the same time are ordered; without it by arrival.";
  field.example = "{then: [seq, amount DESC]}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_sort;
  registry.plan.operators["sort"] = std::move(descriptor);
  registry.factories.operators["sort"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    auto config = std::static_pointer_cast<const SortConfig>(node.config);
    MR_ASSIGN(auto then, OrderKeys::make(config->then));
    return std::make_unique<SortOperator>(std::move(config), std::move(then));
  };
}

}  // namespace millrace
