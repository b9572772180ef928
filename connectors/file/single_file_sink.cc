#include "connectors/file/file_sinks.h"
#include "connectors/file/text_output.h"
#include "connectors/text/lines.h"
#include "core/bytes.h"

namespace millrace {
namespace {

constexpr size_t kSingleFileFlushBytes = 64 * 1024;
constexpr int64_t kSingleFileFlushMs = 1000;  // rows become visible at least that often while rows come

/// Makes the file durable; the position was captured before.
class SingleFilePart final : public SnapshotPart {
 public:
  SingleFilePart(StateDescriptor state, uint32_t subtask, std::string path, uint64_t length)
      : state_(std::move(state)), subtask_(subtask), path_(std::move(path)), length_(length) {}

  Status write(SnapshotWriter& writer) override {
    MR_TRY(sync_text_output(path_));
    ByteWriter value;
    value.put<uint64_t>(length_);
    MR_TRY(writer.begin(state_));
    return writer.add(subtask_, path_, value.view());
  }

 private:
  StateDescriptor state_;
  uint32_t subtask_;
  std::string path_;
  uint64_t length_;
};

class SingleFileWriter final : public SinkWriter {
 public:
  SingleFileWriter(FileSinkOptions options, EncoderPtr encoder)
      : options_(std::move(options)), encoder_(std::move(encoder)) {}

  Status open(SinkContext& context) override {
    clock_ = context.clock;
    subtask_ = context.subtask;
    state_ = {context.sink, "file", StateKind::kSubtask, std::string(kSingleFileLayout)};
    bool known = false;
    if (context.restored != nullptr) {
      MR_TRY(context.restored->visit(state_, {0, kDefaultMaxParallelism}, context.subtask, context.parallelism,
                                     [&](uint32_t, std::string_view path, std::string_view value) -> Status {
                                       ByteReader in(value);
                                       const auto length = in.get<uint64_t>();
                                       if (!in.done())
                                         return make_error(ErrorCode::kCorruptState,
                                                           "the saved length of a file cannot be read");
                                       known = known || path == options_.path;
                                       return cut_text_output(std::string(path), length);
                                     }));
    }
    if (!known) MR_TRY(open_fresh(context.job_id));
    MR_TRY(output_.open(options_.path));
    if (output_.length() == 0 && !options_.header.empty()) MR_TRY(output_.append(options_.header + "\n"));
    return {};
  }

  Result<Flow> write(const Batch& batch, Output&) override {
    MR_TRY(append_lines(*encoder_, batch, text_, ends_));
    const int64_t now_ms = clock_->wall_ms();
    if (text_.size() >= kSingleFileFlushBytes || now_ms - flushed_ms_ >= kSingleFileFlushMs) {
      MR_TRY(flush());
      flushed_ms_ = now_ms;
    }
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    MR_TRY(flush());
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::make_unique<SingleFilePart>(state_, subtask_, options_.path, output_.length()));
    return parts;
  }

  Status checkpoint_completed(int64_t) override { return forget_start(); }

  Status close() override {
    MR_TRY(flush());
    MR_TRY(output_.close());
    return forget_start();
  }

 private:
  /// A job that restarts before its first checkpoint must not find its own rows of before: a small file beside
  /// remembers where this job began, until a checkpoint does.
  Status open_fresh(const std::string& job_id) {
    FileSystem& fs = local_file_system();
    const size_t slash = options_.path.rfind('/');
    const size_t name = slash == std::string::npos ? 0 : slash + 1;
    start_path_ = options_.path.substr(0, name) + "." + options_.path.substr(name) + ".start";
    MR_TRY(fs.create_directories(parent_path(options_.path)));
    if (fs.exists(start_path_)) {
      MR_ASSIGN(const std::string start, fs.read_all(start_path_));
      const size_t blank = start.find(' ');
      if (blank != std::string::npos && start.substr(0, blank) == job_id) {
        MR_ASSIGN(const uint64_t length, file_length(options_.path));
        const uint64_t began = std::strtoull(start.c_str() + blank + 1, nullptr, 10);
        return length > began ? fs.truncate(options_.path, began) : Status{};
      }
    }
    if (fs.exists(options_.path)) {
      if (options_.if_exists == IfExists::kFail)
        return make_error(ErrorCode::kRefusedByState, "the file " + options_.path + " exists",
                          "`if_exists: append` or `replace` accept it");
      if (options_.if_exists == IfExists::kReplace) MR_TRY(fs.truncate(options_.path, 0));
    }
    MR_ASSIGN(const uint64_t length, file_length(options_.path));
    MR_ASSIGN(auto file, fs.create(start_path_));
    MR_TRY(file->append(job_id + " " + std::to_string(length)));
    return file->close();
  }

  Status forget_start() {
    if (start_path_.empty()) return {};
    Status removed = local_file_system().remove(start_path_);
    start_path_.clear();
    return removed;
  }

  Status flush() {
    MR_TRY(output_.append(text_));
    text_.clear();
    return output_.flush();
  }

  FileSinkOptions options_;
  EncoderPtr encoder_;
  TextOutput output_;
  StateDescriptor state_;
  std::string start_path_;
  Clock* clock_ = nullptr;
  uint32_t subtask_ = 0;
  std::string text_;
  std::vector<size_t> ends_;
  int64_t flushed_ms_ = 0;
};

}  // namespace

SinkWriterPtr make_single_file_writer(FileSinkOptions options, EncoderPtr encoder) {
  return std::make_unique<SingleFileWriter>(std::move(options), std::move(encoder));
}

}  // namespace millrace
