#include "connectors/datagen/datagen_source.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "connectors/datagen/generator.h"

namespace millrace {
namespace {

constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max();

struct DatagenSplit {
  uint64_t index = 0;
  uint64_t made = 0;
  uint64_t made_at_open = 0;
};

class DatagenSource final : public SourceReader {
 public:
  DatagenSource(DatagenOptions options, std::vector<ColumnGenerator> generators)
      : options_(std::move(options)), generators_(std::move(generators)) {}

  Status open(SourceContext& context) override {
    clock_ = context.clock;
    started_ms_ = clock_->wall_ms();
    stride_ = context.parallelism;
    endless_until_done_ = context.until_done && options_.rows == kEndless;
    for (const SplitState& saved : context.splits) MR_TRY(restore(saved, context));
    if (!context.restored && context.splits.empty()) splits_.push_back({context.subtask, 0, 0});
    for (DatagenSplit& split : splits_) split.made_at_open = split.made;
    return {};
  }

  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override {
    if (endless_until_done_) return PollResult::kEnd;
    const int64_t now_ms = clock_->wall_ms();
    size_t best = splits_.size();
    bool finished = true;
    next_poll_ms_ = INT64_MAX;
    for (size_t i = 0; i < splits_.size(); ++i) {
      if (left(splits_[i]) == 0) continue;
      finished = false;
      if (due(splits_[i], now_ms) == 0) {
        next_poll_ms_ = std::min(next_poll_ms_, due_ms(splits_[i]));
      } else if (best == splits_.size() || splits_[i].made < splits_[best].made) {
        best = i;
      }
    }
    if (finished) return PollResult::kEnd;
    if (best == splits_.size()) return PollResult::kNothing;
    DatagenSplit& split = splits_[best];
    const uint64_t count = std::min({left(split), due(split, now_ms), static_cast<uint64_t>(max_rows)});
    chunk.split = static_cast<uint32_t>(best);
    chunk.payload = make_rows(split, static_cast<uint32_t>(count), now_ms);
    split.made += count;
    return PollResult::kData;
  }

  [[nodiscard]] uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  [[nodiscard]] std::string split_id(uint32_t split) const override {
    return std::to_string(splits_[split].index) + "/" + std::to_string(stride_);
  }
  [[nodiscard]] std::string split_state(uint32_t split) const override { return std::to_string(splits_[split].made); }
  [[nodiscard]] bool split_at_end(uint32_t split) const override { return left(splits_[split]) == 0; }
  [[nodiscard]] bool split_finished(uint32_t split) const override {
    return endless_until_done_ || left(splits_[split]) == 0;
  }
  [[nodiscard]] int64_t next_poll_ms() const override { return next_poll_ms_; }

 private:
  /// Ids are "index/splits".
  Status restore(const SplitState& saved, const SourceContext& context) {
    DatagenSplit split;
    uint64_t splits = 0;
    const char* end = saved.split.data() + saved.split.size();
    const auto index = std::from_chars(saved.split.data(), end, split.index);
    const bool id_ok = index.ec == std::errc{} && index.ptr != end && *index.ptr == '/' &&
                       std::from_chars(index.ptr + 1, end, splits).ec == std::errc{} && splits > 0;
    const auto made = std::from_chars(saved.state.data(), saved.state.data() + saved.state.size(), split.made);
    if (!id_ok || made.ec != std::errc{})
      return make_error(ErrorCode::kCorruptState, "the saved position " + saved.split + " of datagen cannot be read");
    stride_ = splits;
    if (split.index % context.parallelism == context.subtask) splits_.push_back(split);
    return {};
  }

  /// Rows that the split will still make.
  [[nodiscard]] uint64_t left(const DatagenSplit& split) const {
    if (options_.rows == kEndless) return kEndless;
    const uint64_t all = options_.rows > split.index ? (options_.rows - split.index - 1) / stride_ + 1 : 0;
    return all > split.made ? all - split.made : 0;
  }

  /// When the next row of the split is due.
  [[nodiscard]] int64_t due_ms(const DatagenSplit& split) const {
    if (options_.rows_per_second <= 0) return started_ms_;
    const auto before = static_cast<double>((split.made - split.made_at_open) * stride_ + split.index);
    return started_ms_ + static_cast<int64_t>(std::ceil(before * 1000 / options_.rows_per_second));
  }

  /// Rows of the split that are due and not yet made.
  [[nodiscard]] uint64_t due(const DatagenSplit& split, int64_t now_ms) const {
    if (options_.rows_per_second <= 0) return kEndless;
    const double all = static_cast<double>(now_ms - started_ms_) * options_.rows_per_second / 1000 + 1;
    const double mine = (all - static_cast<double>(split.index)) / static_cast<double>(stride_);
    const auto made = static_cast<double>(split.made - split.made_at_open);
    return due_ms(split) > now_ms ? 0 : static_cast<uint64_t>(std::max(mine - made, 1.0));
  }

  Batch make_rows(const DatagenSplit& split, uint32_t count, int64_t now_ms) {
    Batch batch;
    batch.rows = count;
    auto arena = std::make_shared<Arena>();
    for (size_t i = 0; i < generators_.size(); ++i) {
      batch.columns.push_back(options_.columns[i].used ? generators_[i].fill(split.index + split.made * stride_,
                                                                             stride_, count, now_ms, *arena)
                                                       : nullptr);
      if (generators_[i].choices()) batch.arenas.push_back(generators_[i].choices());
    }
    if (arena->bytes() > 0) batch.arenas.push_back(std::move(arena));
    return batch;
  }

  DatagenOptions options_;
  std::vector<ColumnGenerator> generators_;
  std::vector<DatagenSplit> splits_;
  uint64_t stride_ = 1;  // splits of the source
  Clock* clock_ = nullptr;
  int64_t started_ms_ = 0;
  int64_t next_poll_ms_ = INT64_MAX;
  bool endless_until_done_ = false;
};

}  // namespace

Result<DatagenOptions> datagen_options(const OptionValues& options, const std::vector<SourceColumn>& columns) {
  DatagenOptions made;
  made.seed = static_cast<uint64_t>(options.integer("seed"));
  if (options.has("rows")) made.rows = static_cast<uint64_t>(options.integer("rows"));
  made.rows_per_second = options.number("rows_per_second");
  for (const SourceColumn& column : columns) {
    if (column.kind != SourceColumn::Kind::kPhysical) continue;
    Result<GeneratorSpec> spec = parse_generator(column.generator, *column.type);
    if (!spec) return std::unexpected(std::move(spec).error().with_context("column `" + column.name + "`"));
    if (const std::optional<uint64_t> rows = spec->rows()) made.rows = std::min(made.rows, *rows);
    made.columns.push_back({column.type, column.generator, column.used});
  }
  return made;
}

Result<SourceReaderPtr> make_datagen_source(const DatagenOptions& options) {
  std::vector<ColumnGenerator> generators;
  for (uint32_t i = 0; i < options.columns.size(); ++i) {
    MR_ASSIGN(ColumnGenerator generator,
              ColumnGenerator::make(options.columns[i].type, options.columns[i].generator, options.seed, i));
    generators.push_back(std::move(generator));
  }
  return std::make_unique<DatagenSource>(options, std::move(generators));
}

}  // namespace millrace
