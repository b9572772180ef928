// A directory of files under exactly_once: one file per lane, epoch and part, which appears by rename and never
// changes.
//
// Progress is a chain of numbered files beside the output, `.progress-<job>-<sink>-<lane>-<n>`; the greatest number
// counts, and a new one is made by a rename that replaces nothing, so of two owners one loses. The progress file is the
// commit: it is written when the data is durable under a temporary name, and whoever reads it finishes the rename. So
// consumers may move files away at any time. On S3 that rename is a copy and a removal: who moves files away there
// leaves each for some minutes, or a crash between the two brings it back.
#include <algorithm>
#include <charconv>
#include <optional>

#include "connectors/file/file_sinks.h"
#include "core/bytes.h"
#include "core/crash_point.h"
#include "core/file_system.h"
#include "core/hash.h"
#include "core/storage.h"
#include "runtime/spi/exactly_once.h"

namespace millrace {
namespace {

constexpr size_t kPublishChunk = 256 * 1024;

struct FileProgress {
  uint64_t number = 0;
  CommitMarker marker;
  std::string temporary;  // names in the directory; empty: a claim
  std::string final_name;
};

std::string encode_progress(const FileProgress& progress) {
  ByteWriter out;
  const CommitMarker& marker = progress.marker;
  out.put<int64_t>(marker.generation);
  out.put<uint64_t>(marker.incarnation);
  out.put<int64_t>(marker.epoch);
  out.put<uint32_t>(marker.part);
  out.put<uint32_t>(marker.parts);
  out.put<uint64_t>(marker.rows);
  out.put<uint32_t>(marker.crc);
  out.put_string(progress.temporary);
  out.put_string(progress.final_name);
  out.put<uint32_t>(crc32c(out.view()));
  return out.take();
}

Result<FileProgress> decode_progress(std::string_view bytes, const std::string& path) {
  const auto damaged = make_error(ErrorCode::kCorruptState, "the progress file " + path + " is damaged");
  if (bytes.size() < sizeof(uint32_t)) return damaged;
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint32_t));
  ByteReader crc(bytes.substr(body.size()));
  if (crc.get<uint32_t>() != crc32c(body)) return damaged;
  FileProgress progress;
  ByteReader in(body);
  CommitMarker& marker = progress.marker;
  marker.generation = in.get<int64_t>();
  marker.incarnation = in.get<uint64_t>();
  marker.epoch = in.get<int64_t>();
  marker.part = in.get<uint32_t>();
  marker.parts = in.get<uint32_t>();
  marker.rows = in.get<uint64_t>();
  marker.crc = in.get<uint32_t>();
  progress.temporary = std::string(in.get_string());
  progress.final_name = std::string(in.get_string());
  if (!in.done()) return damaged;
  return progress;
}

std::string part_file_name(const std::string& job, const std::string& lane, const CommitMarker& marker,
                           const std::string& extension) {
  std::string name = "part-" + job + "-" + lane + "-" + std::to_string(marker.epoch);
  if (marker.parts > 1) name += "-" + std::to_string(marker.part);
  return name + "." + extension;
}

// Without the number of the lane.
std::string progress_prefix(std::string_view job_id, const std::string& sink) {
  return ".progress-" + std::string(job_id.substr(0, 8)) + "-" + sink + "-";
}

class DirectorySession final : public LaneSession {
 public:
  DirectorySession(std::string directory, std::string header, std::string extension, LaneId lane)
      : directory_(std::move(directory)),
        header_(std::move(header)),
        extension_(std::move(extension)),
        job_(lane.job_id.substr(0, 8)),
        lane_(std::to_string(lane.lane)),
        prefix_(progress_prefix(lane.job_id, lane.sink) + lane_ + "-") {}

  Result<std::optional<CommitMarker>> last_committed() override {
    MR_TRY(fs_.create_directories(directory_));
    MR_ASSIGN(const uint64_t newest, newest_number());
    if (newest == 0) return std::nullopt;
    const std::string path = progress_path(newest);
    MR_ASSIGN(const std::string bytes, fs_.read_all(path));
    MR_ASSIGN(found_, decode_progress(bytes, path));
    found_.number = newest;
    MR_TRY(finish(found_));
    return found_.marker;
  }

  Status commit(const CommitMarker& marker, const std::string& target, PartRows* rows) override {
    if (target != directory_) {
      return make_error(ErrorCode::kRefusedByState, "output of an earlier epoch belongs into " + target,
                        "start with the old `path` until it is published");
    }
    FileProgress next{found_.number + 1, marker, {}, {}};
    if (rows != nullptr) {
      next.final_name = part_file_name(job_, lane_, marker, extension_);
      next.temporary =
          "." + next.final_name + "." + std::to_string(marker.generation) + "." + std::to_string(marker.incarnation);
      MR_TRY(write_rows(join_path(directory_, next.temporary), *rows));
    }
    crash_point("commit.produced");
    MR_TRY(publish_progress(next));
    crash_point("commit.flushed");
    MR_TRY(finish(next));
    crash_point("commit.sent");
    if (found_.number != 0) (void)fs_.remove(progress_path(found_.number));
    return {};
  }

 private:
  [[nodiscard]] std::string progress_path(uint64_t number) const {
    return join_path(directory_, prefix_ + std::to_string(number));
  }

  Result<uint64_t> newest_number() {
    MR_ASSIGN(const std::vector<DirEntry> entries, fs_.list_prefix(directory_, prefix_));
    uint64_t newest = 0;
    for (const DirEntry& entry : entries) {
      const char* begin = entry.name.data() + prefix_.size();
      const char* end = entry.name.data() + entry.name.size();
      uint64_t number = 0;
      const auto [stop, error] = std::from_chars(begin, end, number);
      if (error == std::errc{} && stop == end) newest = std::max(newest, number);
    }
    return newest;
  }

  Status write_rows(const std::string& path, PartRows& rows) {
    MR_ASSIGN(const std::unique_ptr<WritableFile> file, fs_.create(path));
    std::string text = header_.empty() ? std::string() : header_ + "\n";
    std::string_view row;
    while (true) {
      MR_ASSIGN(const bool more, rows.next(row));
      if (more) text.append(row).push_back('\n');
      if (text.size() >= kPublishChunk || !more) {
        MR_TRY(file->append(text));
        text.clear();
      }
      if (!more) break;
    }
    MR_TRY(file->sync());
    return file->close();
  }

  /// The commit. Its fsync of the directory also makes the temporary name of the data durable, before the new number.
  Status publish_progress(const FileProgress& next) {
    const std::string temporary = join_path(
        directory_, "." + prefix_ + std::to_string(next.number) + "." + std::to_string(next.marker.incarnation));
    MR_ASSIGN(const std::unique_ptr<WritableFile> file, fs_.create(temporary));
    MR_TRY(file->append(encode_progress(next)));
    MR_TRY(fs_.sync_directory(directory_));
    const Status named =
        fs_.publish(*file, temporary, progress_path(next.number), IfTaken::kRefuse, EntryDurability::kNow);
    if (!named && is_object_path(temporary) && named.error().code != ErrorCode::kRefusedByState) return named;
    MR_ASSIGN(const uint64_t newest, newest_number());
    if (named && newest == next.number) return {};
    if (!is_object_path(temporary)) (void)fs_.remove(temporary);
    return make_error(ErrorCode::kExternalFailed, "another process wrote the progress of " + directory_);
  }

  /// Gives the data its name, unless that was done.
  Status finish(const FileProgress& progress) {
    if (progress.temporary.empty()) return {};
    const std::string temporary = join_path(directory_, progress.temporary);
    MR_ASSIGN(const bool waits, fs_.contains(temporary));
    if (!waits) return {};
    const std::string path = join_path(directory_, progress.final_name);
    if (Status renamed = fs_.rename_no_replace(temporary, path); !renamed) {
      MR_ASSIGN(const bool still_waits, fs_.contains(temporary));
      if (!still_waits) return {};
      if (renamed.error().code != ErrorCode::kRefusedByState) return renamed;
      MR_ASSIGN(const std::string ours, fs_.read_all(temporary));
      MR_ASSIGN(const std::string theirs, fs_.read_all(path));
      if (ours != theirs) {
        return make_error(ErrorCode::kRefusedByState, path + " exists with other content",
                          "move it away: output is never written over a file that somebody else made");
      }
      MR_TRY(fs_.remove(temporary));
    }
    return fs_.sync_directory(directory_);
  }

  FileSystem& fs_ = storage();
  const std::string directory_;
  const std::string header_;
  const std::string extension_;
  const std::string job_;
  const std::string lane_;
  const std::string prefix_;
  FileProgress found_;
};

class DirectoryTarget final : public ExactlyOnceTarget {
 public:
  DirectoryTarget(FileSinkOptions options, EncoderPtr encoder)
      : options_(std::move(options)), encoder_(std::move(encoder)) {}

  Status open(const TargetContext& context) override {
    progress_prefix_ = progress_prefix(context.job_id, context.sink);
    return storage().create_directories(options_.path);
  }
  [[nodiscard]] std::string target() const override { return options_.path; }

  Status prepare(const Batch& batch, PreparedRows& rows, Output& /*dead_letters*/) override {
    Status status;
    for_each_row(batch, [&](uint32_t row) {
      if (!status) return;
      text_.clear();
      ends_.clear();
      status = encoder_->encode(batch, {&row, 1}, text_, ends_);
      if (status) status = rows.add(text_);
    });
    return status;
  }

  Result<uint32_t> known_lanes() override {
    MR_ASSIGN(const std::vector<DirEntry> entries, storage().list_prefix(options_.path, progress_prefix_));
    uint32_t lanes = 0;
    for (const DirEntry& entry : entries) {
      const char* end = entry.name.data() + entry.name.size();
      uint32_t lane = 0;
      const auto [stop, error] = std::from_chars(entry.name.data() + progress_prefix_.size(), end, lane);
      if (error == std::errc{} && stop != end && *stop == '-') lanes = std::max(lanes, lane + 1);
    }
    return lanes;
  }

  Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) override {
    return std::make_unique<DirectorySession>(options_.path, options_.header, options_.extension, lane);
  }

  /// Files that somebody moved away are no finding.
  Result<std::vector<std::string>> audit(std::vector<PublishedPart> parts) override {
    std::vector<std::string> findings;
    for (PublishedPart& part : parts) {
      const std::string path =
          join_path(part.target, part_file_name(part.lane.job_id.substr(0, 8), std::to_string(part.lane.lane),
                                                part.marker, options_.extension));
      MR_ASSIGN(const bool there, storage().contains(path));
      if (!there) continue;
      MR_ASSIGN(const std::string found, storage().read_all(path));
      std::string wanted = options_.header.empty() ? std::string() : options_.header + "\n";
      std::string_view row;
      part.rows->rewind();
      while (true) {
        MR_ASSIGN(const bool more, part.rows->next(row));
        if (!more) break;
        wanted.append(row).push_back('\n');
      }
      if (found != wanted) findings.push_back(path + " holds other rows than were published");
    }
    return findings;
  }

 private:
  FileSinkOptions options_;
  EncoderPtr encoder_;
  std::string progress_prefix_;
  std::string text_;
  std::vector<size_t> ends_;
};

}  // namespace

ExactlyOnceTargetPtr make_directory_target(FileSinkOptions options, EncoderPtr encoder) {
  return std::make_unique<DirectoryTarget>(std::move(options), std::move(encoder));
}

}  // namespace millrace
