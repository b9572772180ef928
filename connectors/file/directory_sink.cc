#include <map>

#include "connectors/file/file_sinks.h"
#include "connectors/file/text_output.h"
#include "connectors/text/lines.h"
#include "core/bytes.h"

namespace millrace {
namespace {

constexpr size_t kRollingFlushBytes = 64 * 1024;
constexpr int64_t kRollingFlushMs = 1000;
/// What a checkpoint knows of a lane (= the subtask that began it): its files below `number` are complete, file
/// `number` has `length` bytes, later ones do not exist.
struct RollingPosition {
  uint32_t number = 0;
  uint64_t length = 0;
};

std::string rolling_prefix(const std::string& job, uint32_t lane) {
  return "part-" + job + "-" + std::to_string(lane) + "-";
}

class RollingPart final : public SnapshotPart {
 public:
  RollingPart(RowsSnapshot rows, std::vector<std::string> files) : rows_(std::move(rows)), files_(std::move(files)) {}

  Status write(SnapshotWriter& writer) override {
    for (const std::string& file : files_) MR_TRY(sync_text_output(file));
    return rows_.write(writer);
  }

 private:
  RowsSnapshot rows_;
  std::vector<std::string> files_;
};

class DirectoryWriter final : public SinkWriter {
 public:
  DirectoryWriter(FileSinkOptions options, EncoderPtr encoder)
      : options_(std::move(options)), encoder_(std::move(encoder)) {}

  Status open(SinkContext& context) override {
    clock_ = context.clock;
    lane_ = context.subtask;
    job_ = context.job_id.substr(0, 8);
    state_ = {context.sink, "files", StateKind::kSubtask, std::string(kRollingLayout)};
    MR_TRY(local_file_system().create_directories(options_.path));
    std::map<uint32_t, RollingPosition> lanes;
    std::string saved_job = job_;
    if (context.restored != nullptr) {
      MR_TRY(context.restored->visit(state_, {0, kDefaultMaxParallelism}, context.subtask, context.parallelism,
                                     [&](uint32_t group, std::string_view key, std::string_view value) -> Status {
                                       ByteReader in(value);
                                       RollingPosition at;
                                       at.number = in.get<uint32_t>();
                                       at.length = in.get<uint64_t>();
                                       if (!in.done())
                                         return make_error(ErrorCode::kCorruptState,
                                                           "a saved file position cannot be read");
                                       saved_job = std::string(key);
                                       lanes[group] = at;
                                       return {};
                                     }));
    }
    for (const auto& [lane, at] : lanes) MR_TRY(go_back(rolling_prefix(saved_job, lane), at));
    if (lanes.contains(lane_)) number_ = lanes[lane_].number;
    // Files of the lane that no checkpoint knows: they are not ours to overwrite.
    while (local_file_system().exists(file_path(number_ + 1))) ++number_;
    return {};
  }

  Result<Flow> write(const Batch& batch, Output&) override {
    if (batch.empty()) return Flow::kNeedInput;
    if (!output_.is_open()) MR_TRY(begin_file());
    MR_TRY(append_lines(*encoder_, batch, text_, ends_));
    const int64_t now_ms = clock_->wall_ms();
    if (text_.size() >= kRollingFlushBytes || now_ms - flushed_ms_ >= kRollingFlushMs) {
      MR_TRY(flush());
      flushed_ms_ = now_ms;
    }
    MR_TRY(roll_when_due(now_ms));
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    MR_TRY(roll_when_due(clock_->wall_ms()));
    MR_TRY(flush());
    if (output_.is_open()) written_.push_back(output_.path());
    RowsSnapshot rows(state_);
    ByteWriter value;
    value.put<uint32_t>(number_);
    value.put<uint64_t>(output_.is_open() ? output_.length() : kComplete);
    rows.add(lane_, job_, value.take());
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::make_unique<RollingPart>(std::move(rows), std::exchange(written_, {})));
    return parts;
  }

  Status close() override {
    MR_TRY(flush());
    return output_.is_open() ? output_.close() : Status{};
  }

 private:
  static constexpr uint64_t kComplete = UINT64_MAX;  // the file of this number is closed

  [[nodiscard]] std::string file_path(uint32_t number) const {
    return join_path(options_.path, rolling_prefix(job_, lane_) + std::to_string(number) + "." + options_.extension);
  }

  Status begin_file() {
    MR_TRY(output_.open(file_path(++number_)));
    began_ms_ = clock_->wall_ms();
    if (!options_.header.empty()) text_ += options_.header + "\n";
    return {};
  }

  Status roll_when_due(int64_t now_ms) {
    if (!output_.is_open()) return {};
    const bool full = options_.roll_bytes > 0 && output_.length() + text_.size() >= options_.roll_bytes;
    const bool old = options_.roll_every_ms > 0 && now_ms - began_ms_ >= options_.roll_every_ms;
    if (!full && !old) return {};
    MR_TRY(flush());
    written_.push_back(output_.path());
    return output_.close();
  }

  Status flush() {
    if (!output_.is_open()) return {};
    MR_TRY(output_.append(text_));
    text_.clear();
    return output_.flush();
  }

  /// Cuts the file that was open and removes those begun later.
  Status go_back(const std::string& prefix, RollingPosition at) {
    FileSystem& fs = local_file_system();
    MR_ASSIGN(auto entries, fs.list(options_.path));
    for (const DirEntry& entry : entries) {
      if (entry.is_directory || !entry.name.starts_with(prefix)) continue;
      const auto number = static_cast<uint32_t>(std::strtoul(entry.name.c_str() + prefix.size(), nullptr, 10));
      const std::string path = join_path(options_.path, entry.name);
      if (number > at.number) MR_TRY(fs.remove(path));
      if (number == at.number && at.length < entry.size) MR_TRY(fs.truncate(path, at.length));
    }
    return {};
  }

  FileSinkOptions options_;
  EncoderPtr encoder_;
  TextOutput output_;
  StateDescriptor state_;
  Clock* clock_ = nullptr;
  std::string job_;
  uint32_t lane_ = 0;
  uint32_t number_ = 0;  // of the newest file; 0: none yet
  int64_t began_ms_ = 0;
  int64_t flushed_ms_ = 0;
  std::vector<std::string> written_;  // not yet made durable
  std::string text_;
  std::vector<size_t> ends_;
};

}  // namespace

SinkWriterPtr make_directory_writer(FileSinkOptions options, EncoderPtr encoder) {
  return std::make_unique<DirectoryWriter>(std::move(options), std::move(encoder));
}

}  // namespace millrace
