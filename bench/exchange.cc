// bench_exchange local|tcp bigint|string ROWS [PARALLELISM=2]: rows (key, ts, value) through a hash exchange, from
// ready batches into the gates of the consumers; `tcp` puts all consumers on another task manager's data network, over
// the loopback. The CPU seconds are those of both sides. Prints one JSON line.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/random.h"
#include "runtime/exchange.h"
#include "runtime/input_gate.h"
#include "taskmanager/network/data_network.h"

namespace millrace {
namespace {

constexpr uint32_t kKeys = 10'000;
constexpr size_t kReadyBatches = 16;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

SchemaPtr bench_schema(bool strings) {
  return std::make_shared<Schema>(
      Schema{{{"key", strings ? make_text(TypeKind::kVarchar, kStringLengthMax) : make_type(TypeKind::kBigInt)},
              {"ts", make_type(TypeKind::kBigInt)},
              {"value", make_type(TypeKind::kBigInt)}}});
}

Batch ready_batch(const Schema& schema, bool strings, SeededRandom& random) {
  Batch batch;
  batch.rows = kBatchRowsMax;
  auto arena = std::make_shared<Arena>();
  auto times = std::make_shared<std::vector<int64_t>>();
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema.fields) columns.push_back(make_column(*field.type));
  for (const auto& column : columns) column->resize(batch.rows);
  for (uint32_t row = 0; row < batch.rows; ++row) {
    const auto key = static_cast<int64_t>(random.below(kKeys));
    if (strings) {
      columns[0]->values<StringRef>()[row] = arena->copy("user-" + std::to_string(1'000'000 + key));
    } else {
      columns[0]->values<int64_t>()[row] = key;
    }
    columns[1]->values<int64_t>()[row] = 1'700'000'000'000 + row;
    columns[2]->values<int64_t>()[row] = 1;
    times->push_back(1'700'000'000'000 + row);
  }
  for (auto& column : columns) batch.columns.push_back(std::move(column));
  batch.event_times = std::move(times);
  batch.arenas.push_back(std::move(arena));
  return batch;
}

class ExchangeBench {
 public:
  ExchangeBench(bool tcp, bool strings, int64_t rows, uint32_t parallelism)
      : strings_(strings), rows_(rows), parallelism_(parallelism), schema_(bench_schema(strings)) {
    for (uint32_t i = 0; i < parallelism_; ++i) sides_.emplace_back();
    if (tcp) connect_networks();
    for (uint32_t from = 0; from < parallelism_; ++from) {
      for (uint32_t to = 0; to < parallelism_; ++to) add_channel(from, to);
    }
    for (const auto& joined : joined_) joined->open();
  }

  /// Rows that arrived.
  int64_t run() {
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < parallelism_; ++i) {
      threads.emplace_back([this, i] { produce(i); });
      threads.emplace_back([this, i] { consume(i); });
    }
    for (std::thread& thread : threads) thread.join();
    int64_t arrived = 0;
    for (const Side& side : sides_) arrived += side.arrived;
    return arrived;
  }

 private:
  struct Side {
    Waker producer;
    Waker consumer;
    std::vector<ChannelOutput*> outputs;
    InputGate gate;
    int64_t arrived = 0;
  };

  void connect_networks() {
    std::vector<JobMember> members;
    for (const char* id : {"a", "b"}) {
      DataNetworkOptions options;
      options.id = id;
      networks_.push_back(DataNetwork::start(options).value());
      members.push_back({id, networks_.back()->address()});
    }
    for (uint32_t member = 0; member < 2; ++member) {
      NetworkJob job{.job_id = "bench", .attempt = 1, .members = members, .self = member, .failed = failed};
      joined_.push_back(networks_[member]->join(std::move(job)).value());
    }
  }
  static void failed(const Error& error) { MR_CHECK(false, error.message); }

  void add_channel(uint32_t from, uint32_t to) {
    Waker* producer = &sides_[from].producer;
    Waker* consumer = &sides_[to].consumer;
    if (joined_.empty()) {
      channels_.push_back(std::make_unique<Channel>());
      channels_.back()->connect(producer, consumer);
      sides_[from].outputs.push_back(channels_.back().get());
      sides_[to].gate.add(channels_.back().get(), 0);
      return;
    }
    const ChannelKey key{0, from, to};
    sides_[from].outputs.push_back(joined_[0]->output(key, 1, schema_, producer));
    sides_[to].gate.add(joined_[1]->input(key, 0, schema_, consumer), 0);
  }

  void produce(uint32_t subtask) {
    Side& side = sides_[subtask];
    SeededRandom random(subtask + 1);
    std::vector<Batch> ready;
    for (size_t i = 0; i < kReadyBatches; ++i) ready.push_back(ready_batch(*schema_, strings_, random));
    EdgeOutput output({.partitioning = Partitioning::kHash, .key_columns = {0}, .schema = schema_}, side.outputs);
    const int64_t batches = rows_ / parallelism_ / kBatchRowsMax;
    for (int64_t i = 0; i < batches; ++i) {
      output.emit(ready[static_cast<size_t>(i) % kReadyBatches], 0);
      while (!output.drain()) side.producer.wait(-1);
    }
    output.broadcast(ElementKind::kEnd, 0, false);
    while (!output.drain()) side.producer.wait(-1);
  }

  void consume(uint32_t subtask) {
    Side& side = sides_[subtask];
    GateEvent event;
    while (!side.gate.ended()) {
      if (!side.gate.next(event)) {
        side.consumer.wait(-1);
      } else if (event.kind == ElementKind::kBatch) {
        const int64_t* values = event.batch.columns[2]->values<int64_t>();
        for (uint32_t row = 0; row < event.batch.rows; ++row) side.arrived += values[row];
        event.batch = Batch();
      }
    }
  }

  bool strings_;
  int64_t rows_;
  uint32_t parallelism_;
  SchemaPtr schema_;
  std::deque<Side> sides_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<std::unique_ptr<DataNetwork>> networks_;
  std::vector<std::unique_ptr<RemoteChannels>> joined_;
};

int measure(bool tcp, bool strings, int64_t rows, uint32_t parallelism) {
  ExchangeBench bench(tcp, strings, rows, parallelism);
  const double cpu_before = cpu_seconds();
  const auto before = std::chrono::steady_clock::now();
  const int64_t arrived = bench.run();
  const double cpu = cpu_seconds() - cpu_before;
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  std::printf(
      "{\"bench\":\"exchange\",\"way\":\"%s\",\"key\":\"%s\",\"parallelism\":%u,\"rows\":%lld,\"wall_s\":%.3f,"
      "\"cpu_s\":%.3f,\"rows_per_cpu_s\":%.0f}\n",
      tcp ? "tcp" : "local", strings ? "STRING" : "BIGINT", parallelism, static_cast<long long>(arrived), wall, cpu,
      static_cast<double>(arrived) / cpu);
  const int64_t expected = rows / parallelism / kBatchRowsMax * kBatchRowsMax * parallelism;
  return arrived == expected ? 0 : 1;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_exchange local|tcp bigint|string ROWS [PARALLELISM]\n");
    return 2;
  }
  return millrace::measure(std::strcmp(argv[1], "tcp") == 0, std::strcmp(argv[2], "string") == 0, std::atoll(argv[3]),
                           argc > 4 ? static_cast<uint32_t>(std::atoi(argv[4])) : 2);
}
