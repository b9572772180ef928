#include "connectors/file/file_sinks.h"

#include <catch2/catch.hpp>

#include "tests/unit/connectors/endpoint_support.h"

using namespace millrace;

namespace {

constexpr const char* kSinkSchema = "k STRING, n INT";

struct FileSinkRun {
  ManualClock clock{0};
  SinkContext context;
  SinkWriterPtr writer;
  NoOutput none;
  Status opened;

  FileSinkRun(SinkWriterPtr made, const MemorySnapshot* restored = nullptr, uint32_t subtask = 0,
              uint32_t parallelism = 1)
      : writer(std::move(made)) {
    context.sink = "out";
    context.job_id = "0123456789abcdef0123456789abcdef";
    context.clock = &clock;
    context.subtask = subtask;
    context.parallelism = parallelism;
    context.restored = restored;
    opened = writer->open(context);
  }
  void write(std::vector<std::string> rows, std::vector<RowKind> kinds = {}) {
    REQUIRE(writer->write(batch_of(kSinkSchema, std::move(rows), std::move(kinds)), none) == Flow::kNeedInput);
  }
  void row(int n) { write({"{\"k\":\"a\",\"n\":" + std::to_string(n) + "}"}); }
};

EncoderPtr sink_encoder(bool with_op = false) {
  return make_json_encoder(schema_of(decode_columns(kSinkSchema)), {}, with_op);
}

SinkWriterPtr single_writer(const std::string& path, IfExists if_exists = IfExists::kAppend) {
  FileSinkOptions options;
  options.path = path;
  options.if_exists = if_exists;
  return make_single_file_writer(std::move(options), sink_encoder());
}

SinkWriterPtr directory_writer(const std::string& path, uint64_t roll_bytes = 0, int64_t roll_every_ms = 0) {
  FileSinkOptions options;
  options.path = path + "/";
  options.extension = "jsonl";
  options.roll_bytes = roll_bytes;
  options.roll_every_ms = roll_every_ms;
  return make_directory_writer(std::move(options), sink_encoder());
}

std::string numbers(std::initializer_list<int> all) {
  std::string text;
  for (const int n : all) text += "{\"k\":\"a\",\"n\":" + std::to_string(n) + "}\n";
  return text;
}

}  // namespace

TEST_CASE("file sink: a restore cuts the file back to the checkpoint", "[file]") {
  TemporaryDirectory dir;
  const std::string path = dir.file("deep/out.jsonl");
  MemorySnapshot snapshot;
  {
    FileSinkRun run(single_writer(path));
    REQUIRE(run.opened);
    run.row(1);
    run.row(2);
    snapshot.take(*run.writer);
    REQUIRE(run.writer->checkpoint_completed(1));
    CHECK(dir.read("deep/out.jsonl") == numbers({1, 2}));
    run.clock.advance_ms(5000);
    run.row(3);  // flushed, since a second has passed
    CHECK(dir.read("deep/out.jsonl") == numbers({1, 2, 3}));
  }
  FileSinkRun run(single_writer(path), &snapshot);
  REQUIRE(run.opened);
  CHECK(dir.read("deep/out.jsonl") == numbers({1, 2}));
  run.row(3);
  run.row(4);
  REQUIRE(run.writer->close());
  CHECK(dir.read("deep/out.jsonl") == numbers({1, 2, 3, 4}));
  CHECK(local_file_system().list(dir.file("deep"))->size() == 1);
}

TEST_CASE("file sink: a restart before the first checkpoint takes its own rows back, not those of others", "[file]") {
  TemporaryDirectory dir;
  dir.write("out", "before\n");
  for (int attempt = 0; attempt < 3; ++attempt) {
    FileSinkRun run(single_writer(dir.file("out")));
    REQUIRE(run.opened);
    CHECK(dir.read("out") == "before\n");
    run.row(1);
    MemorySnapshot never_completed;
    never_completed.take(*run.writer);
    CHECK(dir.read("out") == "before\n" + numbers({1}));
  }
}

TEST_CASE("file sink: if_exists counts on a fresh start", "[file]") {
  TemporaryDirectory dir;
  const auto run_once = [&](IfExists if_exists, int n) {
    FileSinkRun run(single_writer(dir.file("out"), if_exists));
    if (!run.opened) return run.opened;
    run.row(n);
    return run.writer->close();
  };
  CHECK(run_once(IfExists::kFail, 1));
  CHECK(run_once(IfExists::kAppend, 2));
  CHECK(dir.read("out") == numbers({1, 2}));
  const Status failed = run_once(IfExists::kFail, 3);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::kRefusedByState);
  CHECK(run_once(IfExists::kReplace, 4));
  CHECK(dir.read("out") == numbers({4}));
}

TEST_CASE("file sink: a file that lost rows of the checkpoint is refused", "[file]") {
  TemporaryDirectory dir;
  MemorySnapshot snapshot;
  FileSinkRun run(single_writer(dir.file("out")));
  run.row(1);
  snapshot.take(*run.writer);
  dir.write("out", "");
  FileSinkRun restored(single_writer(dir.file("out")), &snapshot);
  REQUIRE_FALSE(restored.opened);
  CHECK(restored.opened.error().code == ErrorCode::kRefusedByState);
  CHECK(restored.opened.error().message.find(dir.file("out")) != std::string::npos);
}

TEST_CASE("file sink: a header stands once at the top", "[file]") {
  TemporaryDirectory dir;
  for (int i = 0; i < 2; ++i) {
    FileSinkOptions options;
    options.path = dir.file("out.csv");
    options.header = "k,n";
    FileSinkRun run(make_single_file_writer(options, sink_encoder()));
    run.row(i);
    REQUIRE(run.writer->close());
  }
  CHECK(dir.read("out.csv") == "k,n\n" + numbers({0, 1}));
}

TEST_CASE("file sink: a directory rolls by size and by age", "[file]") {
  TemporaryDirectory dir;
  FileSinkRun run(directory_writer(dir.path, 30, 60'000));
  REQUIRE(run.opened);
  run.row(1);  // 16 bytes
  run.row(2);  // full
  run.row(3);
  run.clock.advance_ms(60'000);
  run.row(4);  // old
  run.row(5);
  REQUIRE(run.writer->close());
  CHECK(dir.names() ==
        std::vector<std::string>{"part-01234567-0-1.jsonl", "part-01234567-0-2.jsonl", "part-01234567-0-3.jsonl"});
  CHECK(dir.read("part-01234567-0-1.jsonl") == numbers({1, 2}));
  CHECK(dir.read("part-01234567-0-2.jsonl") == numbers({3, 4}));
  CHECK(dir.read("part-01234567-0-3.jsonl") == numbers({5}));
}

TEST_CASE("file sink: a restored directory has each row once, also at another parallelism", "[file]") {
  for (const uint32_t parallelism : {1U, 2U, 3U}) {
    TemporaryDirectory dir;
    MemorySnapshot snapshot;
    {
      FileSinkRun first(directory_writer(dir.path, 40), nullptr, 0, 2);
      FileSinkRun second(directory_writer(dir.path, 40), nullptr, 1, 2);
      for (int i = 0; i < 4; ++i) first.row(i);
      second.row(10);
      snapshot.take(*first.writer);
      snapshot.take(*second.writer);
      for (int i = 4; i < 9; ++i) first.row(i);
      second.row(11);
      REQUIRE(first.writer->close());
      REQUIRE(second.writer->close());
    }
    for (uint32_t subtask = 0; subtask < parallelism; ++subtask) {
      FileSinkRun run(directory_writer(dir.path, 40), &snapshot, subtask, parallelism);
      REQUIRE(run.opened);
      if (subtask == 0) run.row(4);
      REQUIRE(run.writer->close());
    }
    std::vector<std::string> rows;
    for (const std::string& name : dir.names()) {
      std::string text = dir.read(name);
      for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
        rows.push_back(text.substr(at, text.find('\n', at) - at));
    }
    std::sort(rows.begin(), rows.end());
    CHECK(rows.size() == 6);
    CHECK(std::unique(rows.begin(), rows.end()) == rows.end());
  }
}

TEST_CASE("file sink: the end state of an updating stream, in key order, over a restore", "[file]") {
  TemporaryDirectory dir;
  const auto writer = [&] {
    FileSinkOptions options;
    options.path = dir.file("final.jsonl");
    options.if_exists = IfExists::kReplace;
    return make_final_state_writer(options, sink_encoder(), schema_of(decode_columns(kSinkSchema)), Changelog::kRetract,
                                   {0});
  };
  MemorySnapshot snapshot;
  {
    FileSinkRun run(writer());
    run.write({R"({"k":"b","n":1})", R"({"k":"a","n":10})", R"({"k":"c","n":-5})", R"({"k":null,"n":0})"});
    run.write({R"({"k":"b","n":1})", R"({"k":"b","n":2})"}, {RowKind::kUpdateBefore, RowKind::kUpdateAfter});
    snapshot.take(*run.writer);
    CHECK(dir.read("final.jsonl") == "absent");
  }
  FileSinkRun run(writer(), &snapshot);
  REQUIRE(run.opened);
  run.write({R"({"k":"c","n":-5})"}, {RowKind::kDelete});
  run.write({R"({"k":"a","n":9})", R"({"k":"a","n":-1})", R"({"k":"a","n":9})"});
  REQUIRE(run.writer->close());
  CHECK(dir.read("final.jsonl") ==
        "{\"k\":null,\"n\":0}\n{\"k\":\"a\",\"n\":-1}\n{\"k\":\"a\",\"n\":9}\n{\"k\":\"a\",\"n\":9}\n"
        "{\"k\":\"a\",\"n\":10}\n{\"k\":\"b\",\"n\":2}\n");
}

TEST_CASE("file sink: an upsert stream keeps the newest row of each key", "[file]") {
  TemporaryDirectory dir;
  FileSinkOptions options;
  options.path = dir.file("final.jsonl");
  FileSinkRun run(make_final_state_writer(options, sink_encoder(), schema_of(decode_columns(kSinkSchema)),
                                          Changelog::kUpsert, {0}));
  run.write({R"({"k":"b","n":1})", R"({"k":"b","n":2})", R"({"k":"a","n":3})"},
            {RowKind::kInsert, RowKind::kUpdateAfter, RowKind::kInsert});
  run.write({R"({"k":"a","n":3})"}, {RowKind::kDelete});
  REQUIRE(run.writer->close());
  CHECK(dir.read("final.jsonl") == "{\"k\":\"b\",\"n\":2}\n");
}
