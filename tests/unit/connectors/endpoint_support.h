// Directories, snapshots and rows for tests of sources and sinks.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file_system.h"
#include "runtime/spi/factories.h"
#include "tests/unit/connectors/decode_support.h"

namespace millrace {

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/millrace-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TemporaryDirectory() { (void)local_file_system().remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::string file(std::string_view name) const { return join_path(path, name); }
  void write(std::string_view name, std::string_view text) const { std::ofstream(file(name), std::ios::trunc) << text; }
  void append(std::string_view name, std::string_view text) const { std::ofstream(file(name), std::ios::app) << text; }
  [[nodiscard]] std::string read(std::string_view name) const {
    auto text = local_file_system().read_all(file(name));
    return text ? *text : "absent";
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    const auto entries = local_file_system().list(path);
    for (const DirEntry& entry : *entries) all.push_back(entry.name);
    return all;
  }
};

/// A snapshot in memory that can be restored at another parallelism.
class MemorySnapshot final : public SnapshotWriter, public RestoredState {
 public:
  Status begin(const StateDescriptor& state) override {
    state_ = state;
    return {};
  }
  Status add(uint32_t group, std::string_view key, std::string_view value) override {
    rows_.push_back({state_, group, std::string(key), std::string(value)});
    return {};
  }
  Status visit(const StateDescriptor& expected, KeyGroupRange, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override {
    for (const Row& row : rows_) {
      if (row.state != expected) continue;
      if (expected.kind == StateKind::kSubtask && row.group % parallelism != subtask) continue;
      MR_TRY(visitor(row.group, row.key, row.value));
    }
    return {};
  }
  void take(SinkWriter& writer) {
    auto parts = writer.snapshot();
    REQUIRE(parts);
    for (auto& part : *parts) REQUIRE(part->write(*this));
  }

 private:
  struct Row {
    StateDescriptor state;
    uint32_t group;
    std::string key;
    std::string value;
  };
  StateDescriptor state_;
  std::vector<Row> rows_;
};

class NoOutput final : public Output {
 public:
  void emit(uint32_t, Batch) override { FAIL("nothing should be emitted"); }
};

/// Rows given as JSON, one per text; `kinds` such as "+I".
inline Batch batch_of(std::string_view schema, std::vector<std::string> rows, std::vector<RowKind> kinds = {}) {
  RecordSet set;
  for (const std::string& row : rows) set.add(row);
  Decoded decoded(make_json_decoder, schema, set);
  REQUIRE(decoded.result.bad.empty());
  Batch batch = decoded.as_batch();
  batch.arenas.push_back(set.batch.arena);
  for (auto& arena : decoded.result.arenas) batch.arenas.push_back(arena);
  if (!kinds.empty()) {
    auto bytes = std::make_shared<std::vector<uint8_t>>();
    for (const RowKind kind : kinds) bytes->push_back(static_cast<uint8_t>(kind));
    batch.kinds = bytes;
  }
  return batch;
}

}  // namespace millrace
