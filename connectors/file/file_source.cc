#include "connectors/file/file_source.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "connectors/file/file_list.h"
#include "connectors/file/line_reader.h"
#include "core/bytes.h"
#include "core/hash.h"
#include "core/log.h"

namespace millrace {
namespace {

constexpr int64_t kFollowPollMs = 100;
constexpr size_t kOpenFilesMax = 200;
constexpr uint64_t kNoStop = std::numeric_limits<uint64_t>::max();

struct FileSplit {
  explicit FileSplit(std::string path, bool csv) : reader(std::move(path), csv) {}

  LineReader reader;
  LinePosition position;
  uint64_t stop = kNoStop;  // nothing that starts at or behind it is read
  std::shared_ptr<const std::string> header;
  int64_t progress = std::numeric_limits<int64_t>::min();     // event time reached
  int64_t retry_at_ms = std::numeric_limits<int64_t>::min();  // nothing more was there: not before this time
  bool at_end = false;
  bool finished = false;

  [[nodiscard]] std::string save() const {
    ByteWriter out;
    out.put_varint(position.offset);
    out.put_varint(static_cast<uint64_t>(position.line));
    out.put_varint(stop);
    out.put<uint8_t>(finished ? 1 : 0);
    return out.take();
  }
  bool load(std::string_view state) {
    ByteReader in(state);
    position.offset = in.get_varint();
    position.line = static_cast<int64_t>(in.get_varint());
    stop = in.get_varint();
    finished = in.get<uint8_t>() != 0;
    return in.done();
  }
};

class FileSource final : public SourceReader {
 public:
  explicit FileSource(FileSourceOptions options) : options_(std::move(options)) {}

  Status open(SourceContext& context) override {
    clock_ = context.clock;
    subtask_ = context.subtask;
    parallelism_ = context.parallelism;
    until_done_ = context.until_done;
    for (const SplitState& saved : context.splits) {
      known_.insert(saved.split);
      if (!owns(saved.split)) continue;
      add_split(saved.split);
      if (!splits_.back()->load(saved.state))
        return make_error(ErrorCode::kCorruptState, "the saved position in " + saved.split + " cannot be read");
    }
    // The files of a bounded job are those of its first start.
    if (!context.restored || options_.follow) MR_TRY(discover());
    return {};
  }

  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override {
    if (options_.follow && clock_->wall_ms() >= next_discovery_ms_) MR_TRY(discover());
    const int64_t now_ms = clock_->wall_ms();
    for (size_t index = next_split(now_ms); index < splits_.size(); index = next_split(now_ms)) {
      FileSplit& split = *splits_[index];
      RecordBatch batch;
      MR_TRY(read(split, max_rows, batch));
      if (batch.records.empty()) {
        split.retry_at_ms = now_ms + kFollowPollMs;
        continue;
      }
      chunk.split = static_cast<uint32_t>(index);
      chunk.payload = std::move(batch);
      return PollResult::kData;
    }
    if (!waits()) return PollResult::kEnd;
    next_poll_ms_ = now_ms + kFollowPollMs;
    return PollResult::kNothing;
  }

  [[nodiscard]] uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  [[nodiscard]] std::string split_id(uint32_t split) const override { return splits_[split]->reader.path(); }
  [[nodiscard]] std::string split_state(uint32_t split) const override { return splits_[split]->save(); }
  [[nodiscard]] bool split_at_end(uint32_t split) const override { return splits_[split]->at_end; }
  [[nodiscard]] bool split_finished(uint32_t split) const override { return splits_[split]->finished; }
  void split_progress(uint32_t split, int64_t event_time_max) override { splits_[split]->progress = event_time_max; }
  [[nodiscard]] int64_t next_poll_ms() const override { return waits() ? next_poll_ms_ : INT64_MAX; }

 private:
  [[nodiscard]] bool waits() const { return options_.follow && !until_done_; }
  [[nodiscard]] bool owns(const std::string& path) const {
    return parallelism_ <= 1 || hash64(path) % parallelism_ == subtask_;
  }
  void add_split(const std::string& path) { splits_.push_back(std::make_unique<FileSplit>(path, options_.csv)); }

  Status discover() {
    next_discovery_ms_ = clock_->wall_ms() + options_.discover_every_ms;
    Result<std::vector<std::string>> files = list_input_files(options_.path);
    if (!files) {
      if (options_.follow && files.error().code == ErrorCode::kNotFound) return {};  // it may still be created
      return std::unexpected(std::move(files).error());
    }
    if (files->empty() && !options_.follow && subtask_ == 0)
      log_warn("no input file matches", {{"path", options_.path}});
    for (const std::string& path : *files) {
      if (!known_.insert(path).second || !owns(path)) continue;
      add_split(path);
      if (until_done_ && options_.follow) MR_TRY(fix_stop(*splits_.back()));
    }
    return {};
  }

  /// `--until-done`: what the file holds now is all that will be read of it.
  Status fix_stop(FileSplit& split) {
    MR_ASSIGN(auto file, local_file_system().open(split.reader.path()));
    MR_ASSIGN(split.stop, file->size());
    return {};
  }

  /// The split that is furthest behind among those that may have something.
  [[nodiscard]] size_t next_split(int64_t now_ms) const {
    size_t best = splits_.size();
    for (size_t i = 0; i < splits_.size(); ++i) {
      const FileSplit& split = *splits_[i];
      if (split.finished || split.retry_at_ms > now_ms) continue;
      if (best == splits_.size() || split.progress < splits_[best]->progress) best = i;
    }
    return best;
  }

  Status read(FileSplit& split, uint32_t max_rows, RecordBatch& batch) {
    if (!split.reader.is_open()) MR_TRY(open_split(split));
    const bool bounded = !options_.follow || until_done_;
    MR_TRY(split.reader.read(max_rows, split.stop, bounded, batch));
    split.position = split.reader.position();
    split.at_end = split.reader.at_end();
    if (split.at_end && bounded && batch.records.empty()) {
      split.finished = true;
      split.reader.close();
    } else if (splits_.size() > kOpenFilesMax) {
      split.reader.close();
    }
    batch.topic = split.reader.path();
    batch.header = split.header;
    return {};
  }

  Status open_split(FileSplit& split) {
    if (options_.csv_header && !split.header) {
      MR_TRY(split.reader.open({}));
      RecordBatch first;
      MR_TRY(split.reader.read(1, kNoStop, true, first));
      if (first.records.empty()) return {};  // nothing there yet
      split.header = std::make_shared<const std::string>(first.records[0].value.view());
      if (split.position.offset == 0) split.position = split.reader.position();
    }
    MR_TRY(split.reader.open(split.position));
    MR_ASSIGN(const uint64_t size, split.reader.size());
    if (size >= split.position.offset) return {};
    return make_error(ErrorCode::kLostOffset,
                      "the file " + split.reader.path() + " has " + std::to_string(size) +
                          " bytes, but it was read up to byte " + std::to_string(split.position.offset),
                      "it was replaced or cut; restore the file, or start the job with --fresh");
  }

  FileSourceOptions options_;
  Clock* clock_ = nullptr;
  uint32_t subtask_ = 0;
  uint32_t parallelism_ = 1;
  bool until_done_ = false;
  std::vector<std::unique_ptr<FileSplit>> splits_;
  std::unordered_set<std::string> known_;  // of all subtasks
  int64_t next_discovery_ms_ = 0;
  int64_t next_poll_ms_ = INT64_MAX;
};

}  // namespace

SourceReaderPtr make_file_source(FileSourceOptions options) { return std::make_unique<FileSource>(std::move(options)); }

}  // namespace millrace
