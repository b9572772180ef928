// The output of one epoch of one lane on disk: blocks of {length, rows, CRC-32C} and rows, each a length and its bytes.
// Parts begin and end at blocks. Written by the sink's worker, sealed (made durable, named) by the snapshot thread,
// read by the committer thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "core/status.h"
#include "runtime/spi/exactly_once.h"

namespace millrace {

struct SegmentPart {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t rows = 0;
  uint32_t crc = 0;  // over the rows of all its blocks
  friend bool operator==(const SegmentPart&, const SegmentPart&) = default;
};

struct SegmentLimits {
  uint64_t part_bytes = 64ULL << 20;
  uint64_t part_rows = 250'000;
  uint64_t block_bytes = 128ULL << 10;
};

/// The file behind an entry until it is durable under its final name.
class SegmentFile {
 public:
  SegmentFile(FileSystem& fs, std::string open_path, std::unique_ptr<WritableFile> file)
      : fs_(fs), path_(std::move(open_path)), file_(std::move(file)) {}
  Status append(std::string_view bytes) { return file_->append(bytes); }
  void set_final_path(std::string path) { final_path_ = std::move(path); }
  /// Durable when it returns; again costs nothing. Any thread.
  Status seal();

 private:
  FileSystem& fs_;
  std::string path_;
  std::string final_path_;
  std::mutex mutex_;
  std::unique_ptr<WritableFile> file_;  // null: sealed
};

class SegmentWriter final : public PreparedRows {
 public:
  static Result<std::unique_ptr<SegmentWriter>> create(FileSystem& fs, const std::string& open_path,
                                                       SegmentLimits limits);
  Status add(std::string_view row) override;
  /// Everything is written (not yet durable).
  Status finish();
  [[nodiscard]] const std::vector<SegmentPart>& parts() const { return parts_; }
  [[nodiscard]] const std::shared_ptr<SegmentFile>& file() const { return file_; }
  [[nodiscard]] uint64_t bytes() const { return written_; }
  [[nodiscard]] uint64_t rows() const { return rows_; }

 private:
  SegmentWriter(std::shared_ptr<SegmentFile> file, SegmentLimits limits) : file_(std::move(file)), limits_(limits) {}
  Status end_block();

  std::shared_ptr<SegmentFile> file_;
  SegmentLimits limits_;
  std::string block_;
  uint32_t block_rows_ = 0;
  bool part_open_ = false;
  std::vector<SegmentPart> parts_;
  uint64_t written_ = 0;
  uint64_t rows_ = 0;
};

/// Rows of a part that somebody took out because the target refuses them (`millrace sink skip`): a file beside the
/// segment with their numbers within the part, ascending, one a line. Missing: none.
std::string skipped_rows_path(const std::string& segment, uint32_t part);
/// The segment's name in the name of such a file, or the name itself.
std::string segment_of(const std::string& name);
Result<std::vector<uint64_t>> read_skipped_rows(FileSystem& fs, const std::string& segment, uint32_t part);
Status write_skipped_rows(FileSystem& fs, const std::string& segment, uint32_t part, const std::vector<uint64_t>& rows);

/// Reads one part; a damaged block is kCorruptState naming the file.
class SegmentPartReader final : public PartRows {
 public:
  static Result<std::unique_ptr<SegmentPartReader>> open(FileSystem& fs, const std::string& path,
                                                         const SegmentPart& part, std::vector<uint64_t> skipped = {});
  Result<bool> next(std::string_view& row) override;
  void rewind() override;

 private:
  SegmentPartReader(std::unique_ptr<ReadableFile> file, std::string path, SegmentPart part,
                    std::vector<uint64_t> skipped)
      : file_(std::move(file)), path_(std::move(path)), part_(part), skipped_(std::move(skipped)) {}
  Result<bool> next_of_all(std::string_view& row);
  Status read_block();
  Status read_exactly(std::string& into, uint64_t size);
  std::unexpected<Error> damaged(const char* what) const;

  std::unique_ptr<ReadableFile> file_;
  std::string path_;
  SegmentPart part_;
  std::vector<uint64_t> skipped_;  // ascending
  uint64_t at_ = 0;                // within the part
  uint64_t rows_seen_ = 0;
  std::string block_;
  size_t block_at_ = 0;
};

}  // namespace millrace
