#include "runtime/operators/dedup/dedup.h"

#include <algorithm>

#include "data/row_codec.h"
#include "plan/option_reader.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/row_output.h"
#include "runtime/operators/state_fields.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

struct DedupConfig final : OperatorConfig {
  SchemaPtr schema;
  std::vector<uint32_t> keys;
  bool last = false;
  bool event_time = false;
  int64_t within_ms = 0;  // keep first: for how long a row shuts its key; 0 = for ever
};

struct DedupState {
  bool closed = false;  // keep first: the row has left
  int64_t time = 0;     // of the row
  std::string bytes;    // empty once it is not needed any more
};

struct DedupCodec {
  static void save(const DedupState& state, ByteWriter& out) {
    out.put(static_cast<uint8_t>(state.closed));
    out.put(state.time);
    out.put_string(state.bytes);
  }
  static bool load(ByteReader& in, DedupState& state) {
    state.closed = in.get<uint8_t>() != 0;
    state.time = in.get<int64_t>();
    state.bytes = in.get_string();
    return in.ok();
  }
};

class DedupOperator final : public TimedRows<DedupState, DedupCodec> {
 public:
  explicit DedupOperator(std::shared_ptr<const DedupConfig> config)
      : TimedRows(RowInput(config->schema, config->keys), "dedup"),
        config_(std::move(config)),
        kept_(config_->schema) {}

  /// A candidate at the watermark itself is still to come.
  [[nodiscard]] int64_t hold_back(int64_t watermark) const override {
    if (config_->last || !config_->event_time || timers_.empty() || timers_.next() > watermark) return watermark;
    return timers_.next() - 1;
  }

 protected:
  Status take(const Batch& batch, const InputRow& in) override {
    if (config_->last) return take_last(batch, in);
    return config_->event_time ? take_earliest(batch, in) : take_first(batch, in);
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(DedupState * state, store_->find(key));
    if (state == nullptr) return {};
    if (!state->closed && state->time == time) {
      MR_TRY(kept_.add(state->bytes, state->time));
      state->closed = true;
      state->bytes.clear();
      if (config_->within_ms > 0) set_timer(open_again(*state), key);
    } else if (state->closed && config_->within_ms > 0 && open_again(*state) <= time) {
      store_->erase(key);
    }
    return {};
  }

  void timers_of(const std::string& key, const DedupState& state) override {
    if (config_->last) return;
    if (!state.closed) set_timer(state.time, key);
    if (state.closed && config_->within_ms > 0) set_timer(open_again(state), key);
  }

  [[nodiscard]] bool has_timers() const override {
    return !config_->last && (config_->event_time || config_->within_ms > 0);
  }

  [[nodiscard]] bool full() const override { return kept_.full(); }
  void flush(Output& out) override { kept_.flush(out, 0); }

 private:
  [[nodiscard]] int64_t open_again(const DedupState& state) const {
    return state.time > INT64_MAX - config_->within_ms ? INT64_MAX : state.time + config_->within_ms;
  }

  Status take_first(const Batch& batch, const InputRow& in) {
    MR_ASSIGN(const DedupState* held, store_->peek(in.key));
    if (held != nullptr && held->closed && (config_->within_ms == 0 || in.time < open_again(*held))) return {};
    MR_ASSIGN(DedupState * state, store_->at(in.key));
    state->closed = true;
    state->time = in.time;
    if (config_->within_ms > 0) set_timer(open_again(*state), in.key);
    std::string bytes;
    encode_row(batch, in.row, bytes);
    return kept_.add(bytes, in.time);
  }

  Status take_earliest(const Batch& batch, const InputRow& in) {
    if (in.time < watermark_) {
      count_late();
      return {};
    }
    MR_ASSIGN(const DedupState* held, store_->peek(in.key));
    if (held != nullptr && held->closed && (config_->within_ms == 0 || in.time < open_again(*held))) return {};
    if (held != nullptr && !held->closed && held->time <= in.time) return {};
    MR_ASSIGN(DedupState * state, store_->at(in.key));
    *state = {false, in.time, {}};
    encode_row(batch, in.row, state->bytes);
    set_timer(in.time, in.key);
    return {};
  }

  Status take_last(const Batch& batch, const InputRow& in) {
    std::string bytes;
    encode_row(batch, in.row, bytes);
    MR_ASSIGN(DedupState * held, store_->find(in.key));
    if (held == nullptr) {
      MR_ASSIGN(held, store_->at(in.key));
      *held = {false, in.time, bytes};
      return kept_.add(bytes, in.time);
    }
    if (config_->event_time && in.time < held->time) return {};
    MR_TRY(kept_.add(held->bytes, in.time, RowKind::kUpdateBefore));
    MR_TRY(kept_.add(bytes, in.time, RowKind::kUpdateAfter));
    held->time = in.time;
    held->bytes = std::move(bytes);
    return {};
  }

  std::shared_ptr<const DedupConfig> config_;
  RowOutput kept_;
};

std::vector<OptionDescriptor> dedup_fields() {
  OptionDescriptor key;
  key.name = "key";
  key.kind = OptionKind::kTextList;
  key.required = true;
  key.help = "Columns of which each value is kept once.";
  OptionDescriptor keep;
  keep.name = "keep";
  keep.kind = OptionKind::kChoice;
  keep.choices = {"first", "last"};
  keep.default_text = "first";
  keep.help = "`first` only appends; `last` updates.";
  OptionDescriptor by;
  by.name = "by";
  by.kind = OptionKind::kChoice;
  by.choices = {"arrival", "event_time"};
  by.default_text = "arrival";
  by.help = "What first and last mean. The first by event time leaves when the watermark reaches it.";
  OptionDescriptor within;
  within.name = "within";
  within.kind = OptionKind::kDuration;
  within.min = 1;
  within.help = "keep first: a row shuts its key for this much event time; without it for ever.";
  return {key, keep, by, within};
}

std::vector<StateSchema> dedup_states(const DedupConfig& config) {
  StateSchema state;
  state.name = "dedup";
  state.form = "dedup";
  state.rules = {{"keep", config.last ? "last" : "first"}, {"by", config.event_time ? "event_time" : "arrival"}};
  state.key = {key_field(*config.schema, config.keys)};
  state.value = {state_field("closed", StateForm::kFlag), state_field("time", StateForm::kTime),
                 row_field("row", *config.schema)};
  return {std::move(state), progress_schema("dedup_progress")};
}

std::optional<BoundOperator> bind_dedup(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  const Located& tree = context.options->located("dedup");
  const OptionValues options = read_options(tree, dedup_fields(), "`dedup`", *context.diagnostics);
  if (!require_append(context, "dedup")) return std::nullopt;
  auto config = std::make_shared<DedupConfig>();
  config->schema = input.schema;
  config->last = options.text("keep") == "last";
  config->event_time = options.text("by") == "event_time";
  config->within_ms = options.integer("within");
  for (const std::string& name : options.texts("key")) {
    const auto column = bind_column(context, *input.schema, name, options.located("key"));
    if (!column) return std::nullopt;
    config->keys.push_back(*column);
  }
  if (config->keys.empty()) return std::nullopt;
  if (config->last && config->within_ms > 0) {
    context.diagnostics->error(ErrorCode::kBadPlan, options.located("within").position,
                               "`within` has a meaning with `keep: first` only");
    return std::nullopt;
  }
  BoundOperator bound;
  bound.outputs = {config->last ? Port{"", input.schema, Changelog::kRetract, config->keys}
                                : Port{"", input.schema, Changelog::kAppend, {}}};
  bound.partitioning = {Partitioning::kHash};
  bound.key_columns = {config->keys};
  bound.stateful = true;
  bound.states = dedup_states(*config);
  bound.detail = config->last ? "keeps the last" : "keeps the first";
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_dedup(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "dedup";
  descriptor.help = "One row per key: the first (appends) or the last (updates), by arrival or event time.";
  OptionDescriptor field;
  field.name = "dedup";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "key, keep, by, within.";
  field.example = "{key: [order_id], keep: first, within: 1h}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_dedup;
  registry.plan.operators["dedup"] = std::move(descriptor);
  registry.factories.operators["dedup"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return std::make_unique<DedupOperator>(std::static_pointer_cast<const DedupConfig>(node.config));
  };
}

}  // namespace millrace
