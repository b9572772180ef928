// bench_memory NAME EVENTS (NAME: filter, tumbling, sliding, tumbling-fine, sliding-fine, session, interval-join, top):
// the real pipeline (planner, source task, JSON decoder, operators, checkpoints) fed from JSON held in memory, at
// parallelism 1, into blackhole. Prints one JSON line; the time to make the input is not counted. The two `-fine` ones
// run at 1 M events per second of event time: one such second is made, and given again with later times.
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/bids.h"
#include "cli/run.h"
#include "cli/wiring.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/// The events, as one text each; a block of them is copied into every batch's arena, as a network client would.
struct Events {
  std::string bytes;
  std::vector<size_t> ends;
  int64_t round_ms = 0;         // added to the times whenever the events start again; 0: they stay
  std::vector<int64_t> times;   // with round_ms
  std::vector<size_t> time_at;  // where the time stands in `bytes`
};

constexpr size_t kTimeDigits = 13;

Events make_events(int64_t count, int64_t events_per_second, int64_t round_ms) {
  Events events;
  events.round_ms = round_ms;
  BidOptions options;
  options.events_per_second = events_per_second;
  BidGenerator bids(options);
  std::string json;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t time = bids.next(json);
    if (round_ms > 0) {
      events.times.push_back(time);
      events.time_at.push_back(events.bytes.size() + json.find("\"ts\":") + 5);
    }
    events.bytes += json;
    events.ends.push_back(events.bytes.size());
  }
  return events;
}

class MemoryReader final : public SourceReader {
 public:
  MemoryReader(const Events& events, int64_t total) : events_(events), total_(total) {}
  Status open(SourceContext& /*context*/) override { return {}; }
  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override {
    if (delivered_ >= total_) return PollResult::kEnd;
    chunk.split = 0;
    RecordBatch records;
    records.topic = "memory";
    const size_t first = next_;
    const size_t last = std::min({first + std::min<size_t>(max_rows, 2048), events_.ends.size(),
                                  first + static_cast<size_t>(total_ - delivered_)});
    const size_t begin = first == 0 ? 0 : events_.ends[first - 1];
    records.arena = std::make_shared<Arena>(events_.ends[last - 1] - begin + 128);
    char* copy = records.arena->allocate(events_.ends[last - 1] - begin);
    std::memcpy(copy, events_.bytes.data() + begin, events_.ends[last - 1] - begin);
    if (events_.round_ms > 0 && round_ > 0) shift_times(first, last, copy - begin);
    records.records.resize(last - first);
    size_t from = begin;
    for (size_t i = first; i < last; ++i) {
      Record& record = records.records[i - first];
      record.value = StringRef(std::string_view(copy + (from - begin), events_.ends[i] - from));
      record.offset = delivered_++;
      from = events_.ends[i];
    }
    if (last == events_.ends.size()) ++round_;
    next_ = last == events_.ends.size() ? 0 : last;
    chunk.payload = std::move(records);
    return PollResult::kData;
  }
  [[nodiscard]] uint32_t split_count() const override { return 1; }
  [[nodiscard]] std::string split_id(uint32_t /*split*/) const override { return "memory/0"; }
  [[nodiscard]] std::string split_state(uint32_t /*split*/) const override { return std::to_string(delivered_); }
  [[nodiscard]] bool split_at_end(uint32_t /*split*/) const override { return delivered_ >= total_; }
  [[nodiscard]] bool split_finished(uint32_t /*split*/) const override { return delivered_ >= total_; }

 private:
  void shift_times(size_t first, size_t last, char* base) const {
    for (size_t i = first; i < last; ++i) {
      char* digits = base + events_.time_at[i];
      std::to_chars(digits, digits + kTimeDigits, events_.times[i] + round_ * events_.round_ms);
    }
  }

  const Events& events_;
  int64_t total_;
  int64_t round_ = 0;
  int64_t delivered_ = 0;
  size_t next_ = 0;
};

void register_memory(Registry& registry, const Events& events, int64_t total) {
  ConnectorDescriptor descriptor;
  descriptor.name = "memory";
  descriptor.help = "records held in memory, for benches";
  descriptor.check_source = [](const OptionValues&, SourceConfig& config, Diagnostics&) { config.bounded = true; };
  registry.plan.sources["memory"] = descriptor;
  registry.factories.sources["memory"] = [&events, total](const SourceConfig&,
                                                          const Registry&) -> Result<SourceReaderPtr> {
    return std::make_unique<MemoryReader>(events, total);
  };
}

std::string window_step(const std::string& window) {
  return "  - id: per_auction\n    key_by: [auction]\n    window: {" + window +
         "}\n    aggregate: {bids: COUNT(*), spent: SUM(price)}\n";
}

std::string steps_of(const std::string& which) {
  if (which == "sliding") return window_step("type: sliding, size: 10s, slide: 2s");
  if (which == "sliding-fine") return window_step("type: sliding, size: 60s, slide: 100ms");
  if (which == "session") return window_step("type: session, gap: 10s");
  if (which == "top") return "  - {id: best, key_by: [auction], top: {n: 10, order_by: [price DESC]}}\n";
  if (which == "interval-join") {  // one side of two thirds, one of a third of the rows
    return "  - {id: cheap, input: bids, filter: \"MOD(price, 3) > 0\"}\n"
           "  - {id: dear, input: bids, filter: \"MOD(price, 3) = 0\"}\n"
           "  - {id: pairs, join: {kind: interval, left: cheap, right: dear, equal: [auction], "
           "between: {from: 0s, to: 1s}, select: {auction: cheap.auction, low: cheap.price, high: dear.price}}}\n";
  }
  return window_step("type: tumbling, size: 10s");
}

std::string job(const std::string& which, const std::string& directory) {
  std::string text = "version: 1\nname: bench-" + which +
                     "\nsettings: {parallelism: 1, checkpoint: {interval: 10s, dir: " + directory +
                     "}}\nsources:\n  bids:\n    type: memory\n    format: json\n    schema:\n"
                     "      auction: BIGINT\n      bidder: BIGINT\n      price: BIGINT\n      channel: STRING\n"
                     "      ts: TIMESTAMP(3) FROM epoch_millis\n";
  if (which == "filter") return text + "steps: [{id: few, filter: price < 100000}]\nsinks: {out: {type: blackhole}}\n";
  return text + "    event_time: {column: ts, out_of_orderness: 2s}\nsteps:\n" + steps_of(which) +
         "sinks: {out: {type: blackhole}}\n";
}

int bench(const std::string& which, int64_t total) {
  const bool fine = which.ends_with("-fine");
  const int64_t distinct = std::min<int64_t>(total, fine ? 1'000'000 : which == "filter" ? 500'000 : total);
  const Events events = make_events(distinct, fine ? 1'000'000 : 100'000, fine ? 1'000 : 0);
  Registry registry;
  register_everything(registry);
  register_memory(registry, events, total);
  const std::string directory =
      (std::filesystem::temp_directory_path() / ("millrace-bench-" + std::to_string(getpid()))).string();
  std::filesystem::create_directories(directory);
  const std::string path = directory + "/job.yaml";
  std::ofstream(path) << job(which, directory);
  const double cpu_before = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  const int code = command_run({path, "--listen", "127.0.0.1:0"}, registry);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu = cpu_seconds() - cpu_before;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::filesystem::remove_all(directory);
  std::printf(
      "{\"bench\":\"memory-%s\",\"events\":%lld,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"events_per_cpu_s\":%.0f,"
      "\"peak_rss_mb\":%.1f}\n",
      which.c_str(), static_cast<long long>(total), wall, cpu, static_cast<double>(total) / cpu,
      static_cast<double>(usage.ru_maxrss) / 1024);
  return code;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: bench_memory filter|tumbling|sliding|tumbling-fine|sliding-fine|session|interval-join|top "
                 "[EVENTS]\n");
    return 2;
  }
  return millrace::bench(argv[1], argc > 2 ? std::atoll(argv[2]) : 4'000'000);
}
