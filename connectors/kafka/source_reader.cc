#include "connectors/kafka/source_reader.h"

#include <algorithm>

#include "core/log.h"
#include "core/process_memory.h"
#include "data/number_text.h"

namespace millrace {

namespace {

constexpr int64_t kAlignMs = 5'000;          // what partitions are kept together by anyway, as far as all deliver
constexpr int64_t kHeldMaxNs = 200'000'000;  // a silent partition may not hold the others longer than this
constexpr int64_t kHeldPollMs = 50;
constexpr int64_t kMeasureEveryNs = 500'000'000;
constexpr int kBellRounds = 20;
constexpr size_t kArenaBytes = 256 * 1024;

}  // namespace

std::string KafkaSplitPosition::to_string() const {
  return stop < 0 ? std::to_string(next) : std::to_string(next) + "/" + std::to_string(stop);
}

std::optional<KafkaSplitPosition> KafkaSplitPosition::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto next = parse_int64(text.substr(0, slash));
  if (!next) return std::nullopt;
  if (slash == std::string_view::npos) return KafkaSplitPosition{*next, -1};
  const auto stop = parse_int64(text.substr(slash + 1));
  if (!stop) return std::nullopt;
  return KafkaSplitPosition{*next, *stop};
}

KafkaSourceReader::KafkaSourceReader(SourceConfig config, KafkaConsumerFactory factory)
    : config_(std::move(config)), factory_(std::move(factory)) {}

KafkaSourceReader::~KafkaSourceReader() = default;

Status KafkaSourceReader::open(SourceContext& context) {
  context_ = context;
  context_.splits.clear();
  options_ = read_kafka_source(config_, "millrace-" + context.job_name, process_memory_bytes());
  if (context.until_done && options_.stop.kind == KafkaPosition::Kind::kNone)
    options_.stop.kind = KafkaPosition::Kind::kLatest;
  bounded_ = options_.stop.kind != KafkaPosition::Kind::kNone;
  queue_records_max_ =
      static_cast<size_t>(parse_int64(kafka_setting(options_.settings, "queued.min.messages")).value_or(20'000));
  if (context_.metrics != nullptr) {
    Labels labels = context_.labels;
    labels.emplace_back("reason", "kafka_unreachable");
    trouble_metric_ = context_.metrics->metric(MetricKind::kCounter, "millrace_step_errors_total",
                                               "Errors of a step by reason", labels);
  }
  const auto trouble = [this] { troubles_.fetch_add(1, std::memory_order_relaxed); };
  MR_ASSIGN(client_, factory_(options_.settings, context.waker, trouble));
  KafkaKnown known;
  known.subtask = context.subtask;
  known.parallelism = context.parallelism;
  MR_TRY(take_restored(context, known));
  control_ = std::make_unique<KafkaControl>(*client_, options_, std::move(known), context.waker, trouble);
  return {};
}

Status KafkaSourceReader::take_restored(const SourceContext& context, KafkaKnown& known) {
  for (const SplitState& state : context.splits) {
    const auto partition = KafkaPartition::parse(state.split);
    auto position = KafkaSplitPosition::parse(state.state);
    if (!partition || !position) {
      return make_error(ErrorCode::kIncompatibleState,
                        "source " + context.source + ": `" + state.split + "` is not a Kafka partition's state");
    }
    // A topic that left the job file is not read any more; its positions end with it.
    if (std::ranges::find(options_.topics, partition->topic) == options_.topics.end()) continue;
    known.partitions.insert(*partition);
    known.topics.insert(partition->topic);
    if (kafka_split_owner(*partition, known.parallelism) != known.subtask) continue;
    if (!bounded_) position->stop = -1;
    if (bounded_ && position->stop < 0) known.stop_wanted.push_back(*partition);
    MR_TRY(add_split(*partition, *position));
    splits_.back().stop_known = !bounded_ || position->stop >= 0;
  }
  return {};
}

Status KafkaSourceReader::add_split(const KafkaPartition& partition, KafkaSplitPosition position) {
  Split split;
  split.partition = partition;
  split.position = position;
  split.finished = position.stop >= 0 && position.next >= position.stop;
  split.at_end = split.finished;
  if (context_.metrics != nullptr) {
    Labels labels = context_.labels;
    labels.emplace_back("topic", partition.topic);
    labels.emplace_back("partition", std::to_string(partition.partition));
    const auto gauge = [&](const char* name, const char* help) {
      return context_.metrics->metric(MetricKind::kGauge, name, help, labels);
    };
    split.offset = gauge("millrace_source_offset", "Next offset to read");
    split.lag = gauge("millrace_source_lag_records", "Records between the next offset and the end of the partition");
    split.committed = gauge("millrace_source_committed_offset", "Next offset of the last completed checkpoint");
    split.offset->set(static_cast<double>(position.next));
  }
  if (!split.finished) {
    MR_ASSIGN(split.lane, client_->start(partition, position.next));
  }
  order_.push_back(static_cast<uint32_t>(splits_.size()));
  splits_.push_back(std::move(split));
  log_info("kafka: reading a partition", {{"source", context_.source},
                                          {"partition", partition.to_string()},
                                          {"from", position.next},
                                          {"to", position.stop}});
  return {};
}

Status KafkaSourceReader::take_news() {
  if (std::optional<Error> error = client_->take_error()) return std::unexpected(std::move(*error));
  if (!control_->has_news()) return {};
  KafkaNews news = control_->take_news();
  if (news.error) return std::unexpected(std::move(*news.error).with_context("source " + context_.source));
  for (const KafkaSplitStart& start : news.splits) MR_TRY(apply_start(start));
  for (const KafkaLostRange& answer : news.lost) MR_TRY(recover_lost(answer));
  discovered_ |= news.discovered;
  return {};
}

Status KafkaSourceReader::apply_start(const KafkaSplitStart& start) {
  if (start.start >= 0) return add_split(start.partition, {start.start, start.stop});
  for (Split& split : splits_) {
    if (split.partition != start.partition) continue;
    split.position.stop = start.stop;
    split.stop_known = true;
    split.finished = split.position.next >= start.stop;
  }
  return {};
}

Status KafkaSourceReader::recover_lost(const KafkaLostRange& answer) {
  for (Split& split : splits_) {
    if (split.partition != answer.partition || !split.lost) continue;
    const std::string what = "kafka partition " + split.partition.to_string() + " of source " + context_.source +
                             ": position " + std::to_string(split.position.next) +
                             " is outside the log, which holds [" + std::to_string(answer.range.first) + ", " +
                             std::to_string(answer.range.end) + ")";
    if (options_.on_lost_offset == KafkaLostOffset::kFail) {
      return make_error(ErrorCode::kLostOffset, what,
                        "records are lost, or the topic was made anew; `on_lost_offset: earliest|latest` goes on");
    }
    const bool earliest = options_.on_lost_offset == KafkaLostOffset::kEarliest;
    split.position.next = earliest ? answer.range.first : answer.range.end;
    split.lost = false;
    log_warn("kafka: position lost, going on as on_lost_offset says", {{"what", what}, {"next", split.position.next}});
    MR_TRY(client_->restart(split.lane, split.position.next));
  }
  return {};
}

Result<PollResult> KafkaSourceReader::poll(uint32_t max_rows, SourceChunk& chunk) {
  next_poll_ms_ = INT64_MAX;
  MR_TRY(take_news());
  measure();
  if (!std::holds_alternative<RecordBatch>(chunk.payload)) chunk.payload = RecordBatch{};
  auto& out = std::get<RecordBatch>(chunk.payload);
  out.clear();
  out.arena = std::make_shared<Arena>(kArenaBytes);
  MR_ASSIGN(const bool any, read_any(max_rows, out, chunk.split));
  if (any) return PollResult::kData;
  return bounded_ && discovered_ && all_finished() ? PollResult::kEnd : PollResult::kNothing;
}

Result<bool> KafkaSourceReader::read_any(uint32_t max_rows, RecordBatch& out, uint32_t& number) {
  const auto behind = [this](uint32_t a, uint32_t b) {
    const Split& x = splits_[a];
    const Split& y = splits_[b];
    return x.progress != y.progress ? x.progress < y.progress : x.last_read < y.last_read;
  };
  std::ranges::sort(order_, behind);
  const int64_t now_ns = context_.clock->monotonic_ns();
  int64_t floor = INT64_MAX;  // event time of the slowest split that may still deliver
  bool held = false;
  for (const uint32_t i : order_) {
    Split& split = splits_[i];
    if (split.finished || split.lost || split.progress > hold_above_) continue;
    const bool ahead = floor < INT64_MAX - kAlignMs && split.progress > floor + kAlignMs;
    if (ahead && (held_since_ns_ < 0 || now_ns - held_since_ns_ < kHeldMaxNs)) {
      held |= client_->queued(split.lane) > 0;
      continue;
    }
    MR_ASSIGN(const bool any, read_split(split, max_rows, out));
    if (any) {
      number = i;
      split.last_read = ++reads_;
      held_since_ns_ = -1;
      return true;
    }
    if (!split.at_end && !split.finished && !split.lost) floor = std::min(floor, split.progress);
  }
  if (!held) {
    held_since_ns_ = -1;
  } else {
    if (held_since_ns_ < 0) held_since_ns_ = now_ns;
    next_poll_ms_ = context_.clock->wall_ms() + kHeldPollMs;
  }
  return false;
}

Result<bool> KafkaSourceReader::read_split(Split& split, uint32_t max_rows, RecordBatch& out) {
  const size_t queued = client_->queued(split.lane);
  if (queued == 0) return false;
  const KafkaFetch fetched = client_->fetch(split.lane, max_rows, split.position.next, out);
  if (fetched.error) return std::unexpected(Error(*fetched.error).with_context("source " + context_.source));
  if (fetched.next_offset >= 0) {
    split.position.next = std::max(split.position.next, fetched.next_offset);
    split.at_end = fetched.at_end;
  }
  if (fetched.lost) {
    split.lost = true;
    control_->ask_range(split.partition);
  }
  cut_at_stop(split, out);
  if (split.offset) split.offset->set(static_cast<double>(split.position.next));
  if (out.records.empty()) return false;
  ring_if_starving(split, queued, out);
  out.topic = split.partition.topic;
  out.partition = split.partition.partition;
  return true;
}

void KafkaSourceReader::cut_at_stop(Split& split, RecordBatch& out) const {
  if (split.position.stop < 0 || split.position.next < split.position.stop) return;
  while (!out.records.empty() && out.records.back().offset >= split.position.stop) out.records.pop_back();
  split.position.next = split.position.stop;
  split.finished = true;
  split.at_end = true;
}

void KafkaSourceReader::ring_if_starving(Split& split, size_t queued_before, const RecordBatch& out) {
  // librdkafka 2.0.2 stops fetching a partition whose queue is full and notices that it was drained only when something
  // else wakes its broker thread, up to a second later (README.md, "the bell").
  const size_t record_bytes = out.arena->bytes() / out.records.size() + 1;
  const size_t full = std::min(queue_records_max_, (size_t{16} << 20) / record_bytes) * 9 / 10;
  if (queued_before >= full) split.bell_rounds = kBellRounds;
  if (split.bell_rounds == 0 || split.at_end || queued_before > full / 2) return;
  --split.bell_rounds;
  control_->ring(split.partition);
}

void KafkaSourceReader::split_progress(uint32_t split, int64_t event_time_max) {
  splits_[split].progress = std::max(splits_[split].progress, event_time_max);
}

void KafkaSourceReader::measure() {
  const int64_t now = context_.clock->monotonic_ns();
  if (context_.metrics == nullptr || now < next_measure_ns_) return;
  next_measure_ns_ = now + kMeasureEveryNs;
  trouble_metric_->set(static_cast<double>(troubles_.load(std::memory_order_relaxed)));
  for (const Split& split : splits_) {
    const int64_t end = split.finished ? split.position.next : client_->cached_end(split.lane);
    if (end >= 0) split.lag->set(static_cast<double>(std::max<int64_t>(0, end - split.position.next)));
  }
}

bool KafkaSourceReader::all_finished() const {
  return std::ranges::all_of(splits_, [](const Split& split) { return split.finished && split.stop_known; });
}

void KafkaSourceReader::checkpoint_completed(int64_t /*checkpoint_id*/, const std::vector<SplitState>& states) {
  std::vector<std::pair<KafkaPartition, int64_t>> offsets;
  for (const SplitState& state : states) {
    const auto partition = KafkaPartition::parse(state.split);
    const auto position = KafkaSplitPosition::parse(state.state);
    if (!partition || !position) continue;
    offsets.emplace_back(*partition, position->next);
    for (const Split& split : splits_)
      if (split.partition == *partition && split.committed) split.committed->set(static_cast<double>(position->next));
  }
  if (!options_.group_id.empty() && !offsets.empty()) control_->commit(std::move(offsets));
}

}  // namespace millrace
