#include "connectors/file/file_source.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/connectors/endpoint_support.h"

using namespace millrace;

namespace {

/// A reader with its clock and what it delivered.
struct FileRun {
  ManualClock clock{1000};
  SourceContext context;
  SourceReaderPtr reader;
  std::vector<std::string> lines;

  explicit FileRun(FileSourceOptions options, uint32_t subtask = 0, uint32_t parallelism = 1,
                   std::vector<SplitState> splits = {}, bool until_done = false) {
    context.clock = &clock;
    context.subtask = subtask;
    context.parallelism = parallelism;
    context.restored = !splits.empty();
    context.splits = std::move(splits);
    context.until_done = until_done;
    reader = make_file_source(std::move(options));
  }
  PollResult poll(uint32_t max_rows = 4096) {
    SourceChunk chunk;
    auto result = reader->poll(max_rows, chunk);
    REQUIRE(result);
    if (*result != PollResult::kData) return *result;
    const auto& batch = std::get<RecordBatch>(chunk.payload);
    REQUIRE(batch.records.size() <= max_rows);
    REQUIRE_FALSE(batch.records.empty());
    CHECK(batch.topic == reader->split_id(chunk.split));
    for (const Record& record : batch.records) {
      lines.push_back(std::to_string(record.line) + "@" + std::to_string(record.offset) + ":" +
                      std::string(record.value.view()));
    }
    return *result;
  }
  PollResult drain(uint32_t max_rows = 4096) {
    PollResult result = PollResult::kData;
    while (result == PollResult::kData) result = poll(max_rows);
    return result;
  }
  [[nodiscard]] std::vector<SplitState> states() const {
    std::vector<SplitState> all;
    for (uint32_t i = 0; i < reader->split_count(); ++i) all.push_back({reader->split_id(i), reader->split_state(i)});
    return all;
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("file source: lines with their positions, the last one without a line end too", "[file]") {
  TemporaryDirectory dir;
  dir.write("a", "one\r\ntwo\n\nfour");
  for (const uint32_t max_rows : {1U, 2U, 100U}) {
    FileRun run({.path = dir.file("a")});
    REQUIRE(run.reader->open(run.context));
    CHECK(run.drain(max_rows) == PollResult::kEnd);
    CHECK(run.lines == Lines{"1@0:one", "2@5:two", "3@9:", "4@10:four"});
    CHECK(run.reader->split_finished(0));
  }
}

TEST_CASE("file source: a directory or a pattern, without hidden and underscore names", "[file]") {
  TemporaryDirectory dir;
  dir.write("b.txt", "b\n");
  dir.write("a.txt", "a\n");
  dir.write("c.log", "c\n");
  dir.write(".hidden.txt", "no\n");
  dir.write("_SUCCESS.txt", "no\n");
  dir.write("empty.txt", "");
  FileRun pattern({.path = dir.file("*.txt")});
  REQUIRE(pattern.reader->open(pattern.context));
  CHECK(pattern.drain() == PollResult::kEnd);
  CHECK(pattern.lines == Lines{"1@0:a", "1@0:b"});
  FileRun whole({.path = dir.path + "/"});
  REQUIRE(whole.reader->open(whole.context));
  CHECK(whole.drain() == PollResult::kEnd);
  CHECK(whole.lines == Lines{"1@0:a", "1@0:b", "1@0:c"});
}

TEST_CASE("file source: a missing file is an error that names it, an empty pattern ends at once", "[file]") {
  FileRun missing({.path = "/nowhere/file"});
  const Status opened = missing.reader->open(missing.context);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::kNotFound);
  CHECK(opened.error().message.find("/nowhere/file") != std::string::npos);
  FileRun pattern({.path = "/nowhere/*.x"});
  REQUIRE(pattern.reader->open(pattern.context));
  CHECK(pattern.drain() == PollResult::kEnd);
}

TEST_CASE("file source: going on from a saved position repeats and skips nothing", "[file]") {
  TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "line " + std::to_string(i) + "\n";
  dir.write("a", text);
  FileRun all({.path = dir.file("a")});
  REQUIRE(all.reader->open(all.context));
  all.drain();
  for (uint32_t polls = 0; polls < 12; ++polls) {
    FileRun first({.path = dir.file("a")});
    REQUIRE(first.reader->open(first.context));
    for (uint32_t i = 0; i < polls; ++i) first.poll(5);
    FileRun second({.path = dir.file("a")}, 0, 1, first.states());
    REQUIRE(second.reader->open(second.context));
    CHECK(second.drain(7) == PollResult::kEnd);
    Lines both = first.lines;
    both.insert(both.end(), second.lines.begin(), second.lines.end());
    CHECK(both == all.lines);
  }
}

TEST_CASE("file source: every file has exactly one owner, also after a rescale", "[file]") {
  TemporaryDirectory dir;
  for (int i = 0; i < 12; ++i) dir.write("f" + std::to_string(i), "a" + std::to_string(i) + "\nb\n");
  std::vector<SplitState> states;
  std::map<std::string, int> seen;
  size_t before = 0;
  for (uint32_t subtask = 0; subtask < 3; ++subtask) {
    FileRun run({.path = dir.file("f*")}, subtask, 3);
    REQUIRE(run.reader->open(run.context));
    for (uint32_t i = 0; i < run.reader->split_count(); ++i) ++seen[run.reader->split_id(i)];
    run.poll(1);  // nothing where the hash of the directory's name gave this one no file
    before += run.lines.size();
    const auto saved = run.states();
    states.insert(states.end(), saved.begin(), saved.end());
  }
  CHECK(seen.size() == 12);
  for (const auto& [file, owners] : seen) CHECK(owners == 1);
  dir.write("f99", "later\n");  // the files of a bounded job are those of its start
  size_t lines = 0;
  for (uint32_t subtask = 0; subtask < 2; ++subtask) {
    FileRun run({.path = dir.file("f*")}, subtask, 2, states);
    REQUIRE(run.reader->open(run.context));
    CHECK(run.drain() == PollResult::kEnd);
    lines += run.lines.size();
  }
  CHECK(before + lines == 24);
}

TEST_CASE("file source: follow waits for line ends, more lines and more files", "[file]") {
  TemporaryDirectory dir;
  dir.write("a", "one\ntw");
  FileRun run({.path = dir.file("*"), .follow = true});
  REQUIRE(run.reader->open(run.context));
  CHECK(run.drain() == PollResult::kNothing);
  CHECK(run.lines == Lines{"1@0:one"});
  CHECK(run.reader->split_at_end(0));
  CHECK_FALSE(run.reader->split_finished(0));
  CHECK(run.reader->next_poll_ms() > run.clock.wall_ms());
  dir.append("a", "o\nthree\n");
  dir.write("b", "new\n");
  run.clock.advance_ms(10'000);
  CHECK(run.drain() == PollResult::kNothing);
  CHECK(run.lines == Lines{"1@0:one", "2@4:two", "3@8:three", "1@0:new"});
}

TEST_CASE("file source: --until-done ends a followed file at what was its end at the start", "[file]") {
  TemporaryDirectory dir;
  dir.write("a", "one\ntwo\n");
  FileRun run({.path = dir.file("a"), .follow = true}, 0, 1, {}, true);
  REQUIRE(run.reader->open(run.context));
  run.poll(1);
  dir.append("a", "three\n");
  FileRun resumed({.path = dir.file("a"), .follow = true}, 0, 1, run.states(), true);
  REQUIRE(resumed.reader->open(resumed.context));
  CHECK(resumed.drain() == PollResult::kEnd);
  CHECK(resumed.lines == Lines{"2@4:two"});
}

TEST_CASE("file source: a file that got shorter is an error", "[file]") {
  TemporaryDirectory dir;
  dir.write("a", "one\ntwo\n");
  FileRun run({.path = dir.file("a")});
  REQUIRE(run.reader->open(run.context));
  run.poll(1);
  const auto states = run.states();
  dir.write("a", "x\n");
  FileRun resumed({.path = dir.file("a")}, 0, 1, states);
  REQUIRE(resumed.reader->open(resumed.context));
  SourceChunk chunk;
  auto result = resumed.reader->poll(10, chunk);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::kLostOffset);
}

TEST_CASE("file source: records larger than a block, and many of them", "[file]") {
  TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += std::string(static_cast<size_t>(i) * 20'000, 'x') + "|" + std::to_string(i) + "\n";
  text += std::string(10 * 1024 * 1024, 'y');
  dir.write("big", text);
  FileRun run({.path = dir.file("big")});
  REQUIRE(run.reader->open(run.context));
  CHECK(run.drain() == PollResult::kEnd);
  REQUIRE(run.lines.size() == 41);
  for (int i = 0; i < 40; ++i) CHECK(run.lines[static_cast<size_t>(i)].ends_with("|" + std::to_string(i)));
  CHECK(run.lines[40].size() > 10 * 1024 * 1024);
}

TEST_CASE("file source: CSV rows may span lines; the header line is handed over beside them", "[file]") {
  TemporaryDirectory dir;
  dir.write("a.csv", "name,note\r\nx,\"two\r\nlines \"\"q\"\"\"\r\ny,plain\r\n");
  FileRun run({.path = dir.file("a.csv"), .csv = true, .csv_header = true});
  REQUIRE(run.reader->open(run.context));
  SourceChunk chunk;
  REQUIRE(run.reader->poll(1, chunk) == PollResult::kData);
  const auto header = std::get<RecordBatch>(chunk.payload).header;
  REQUIRE(header);
  CHECK(*header == "name,note");
  CHECK(std::get<RecordBatch>(chunk.payload).records[0].value.view() == "x,\"two\r\nlines \"\"q\"\"\"");
  CHECK(std::get<RecordBatch>(chunk.payload).records[0].line == 2);
  FileRun resumed({.path = dir.file("a.csv"), .csv = true, .csv_header = true}, 0, 1, run.states());
  REQUIRE(resumed.reader->open(resumed.context));
  REQUIRE(resumed.reader->poll(1, chunk) == PollResult::kData);
  CHECK(*std::get<RecordBatch>(chunk.payload).header == "name,note");
  CHECK(std::get<RecordBatch>(chunk.payload).records[0].value.view() == "y,plain");
  CHECK(std::get<RecordBatch>(chunk.payload).records[0].line == 4);
}

TEST_CASE("file source: files are read in step by event time", "[file]") {
  TemporaryDirectory dir;
  dir.write("a", "1\n2\n3\n");
  dir.write("b", "4\n5\n6\n");
  FileRun run({.path = dir.file("*")});
  REQUIRE(run.reader->open(run.context));
  SourceChunk chunk;
  std::string order;
  while (*run.reader->poll(1, chunk) == PollResult::kData) {
    order += std::get<RecordBatch>(chunk.payload).records[0].value.view();
    run.reader->split_progress(chunk.split, chunk.split == 0 ? 1000 : 10);
  }
  CHECK(order == "145623");
}
