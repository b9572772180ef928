// bench_commit BROKERS TOPIC LANES EPOCHS ROWS: what an epoch of an exactly-once Kafka sink costs, by phase, through
// the connector's own sessions. Prints one JSON line with medians in milliseconds.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "connectors/kafka/lane_session.h"
#include "connectors/kafka/out_row.h"
#include "core/random.h"

namespace millrace {
namespace {

class BenchRows final : public PartRows {
 public:
  explicit BenchRows(long rows) : rows_(rows) {
    const std::string value(200, 'x');
    KafkaOutRecord record;
    record.value = value;
    encode_out_row(record, row_);
  }
  Result<bool> next(std::string_view& row) override {
    row = row_;
    return at_++ < rows_;
  }
  void rewind() override { at_ = 0; }

 private:
  std::string row_;
  long rows_;
  long at_ = 0;
};

struct LaneBench {
  KafkaSinkOptions options;
  KafkaProgressTopic* progress = nullptr;
  std::atomic<bool> stopping{false};
  std::string job;
  uint32_t lanes = 1;
  long epochs = 0;
  long rows = 0;
};

Status run_epoch(LaneBench& bench, uint32_t lane, long epoch, KafkaLaneTimes& times) {
  MR_ASSIGN(auto session, open_kafka_session({.options = &bench.options,
                                              .progress = bench.progress,
                                              .stopping = &bench.stopping,
                                              .lane = {bench.job, "out", lane, bench.lanes},
                                              .times = &times}));
  MR_TRY(session->last_committed());
  BenchRows rows(bench.rows);
  return session->commit({1, 1, epoch, 0, 1, static_cast<uint64_t>(bench.rows), 0}, bench.options.topic, &rows);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void print_phase(const char* name, const std::vector<KafkaLaneTimes>& all, double KafkaLaneTimes::* phase) {
  std::vector<double> values;
  for (const KafkaLaneTimes& times : all) values.push_back(times.*phase);
  std::printf(", \"%s_ms\": %.2f", name, median(std::move(values)));
}

int run_commit_bench(char** argv) {
  LaneBench bench;
  const KafkaSettings connection{{"bootstrap.servers", argv[1]}};
  bench.options.topic = argv[2];
  bench.options.partitioner = "murmur2_random";
  bench.options.transactional_id_prefix = "bench";
  bench.options.settings = {{"bootstrap.servers", argv[1]},
                            {"acks", "all"},
                            {"enable.idempotence", "true"},
                            {"compression.type", "lz4"},
                            {"linger.ms", "1"}};
  bench.job = std::to_string(system_random().next());
  bench.lanes = static_cast<uint32_t>(std::atoi(argv[3]));
  bench.epochs = std::atol(argv[4]);
  bench.rows = std::atol(argv[5]);
  std::vector<std::vector<KafkaLaneTimes>> times(bench.lanes);
  std::vector<std::thread> threads;
  std::atomic<bool> failed{false};
  // As in a job, each subtask has its own view of the progress topic.
  std::vector<std::unique_ptr<KafkaProgressTopic>> progress;
  for (uint32_t lane = 0; lane < bench.lanes; ++lane) {
    progress.push_back(std::make_unique<KafkaProgressTopic>(connection, "bench-progress-" + bench.job));
  }
  for (uint32_t lane = 0; lane < bench.lanes; ++lane) {
    threads.emplace_back([&, lane] {
      for (long epoch = 0; epoch <= bench.epochs && !failed; ++epoch) {
        KafkaLaneTimes one;
        LaneBench mine{bench.options, progress[lane].get(), {}, bench.job, bench.lanes, bench.epochs, bench.rows};
        Status status = run_epoch(mine, lane, epoch + 1, one);
        for (int again = 0; !status && status.error().transient() && again < 20; ++again) {
          one = {};  // a topic that was just made has no leader for a moment
          status = run_epoch(mine, lane, epoch + 1, one);
        }
        if (!status) {
          std::fprintf(stderr, "%s\n", status.error().to_string().c_str());
          failed = true;
        }
        if (epoch > 0) times[lane].push_back(one);  // the first one makes topics and connections
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<KafkaLaneTimes> all;
  for (const auto& lane : times) all.insert(all.end(), lane.begin(), lane.end());
  std::printf("{\"bench\": \"commit\", \"lanes\": %u, \"epochs\": %ld, \"rows\": %ld", bench.lanes, bench.epochs,
              bench.rows);
  print_phase("create", all, &KafkaLaneTimes::create);
  print_phase("init", all, &KafkaLaneTimes::init);
  print_phase("marker", all, &KafkaLaneTimes::marker);
  print_phase("produce", all, &KafkaLaneTimes::produce);
  print_phase("commit", all, &KafkaLaneTimes::commit);
  std::printf("}\n");
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: bench_commit BROKERS TOPIC LANES EPOCHS ROWS\n");
    return 2;
  }
  return millrace::run_commit_bench(argv);
}
