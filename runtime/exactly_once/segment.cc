#include "runtime/exactly_once/segment.h"

#include <algorithm>
#include <charconv>

#include "core/bytes.h"
#include "core/crash_point.h"
#include "core/hash.h"

namespace millrace {

namespace {
constexpr size_t kBlockHeader = 12;
constexpr std::string_view kSkippedRows = ".skip-";
constexpr uint32_t kBlockMax = 1U << 30;
}  // namespace

Status SegmentFile::seal() {
  const std::lock_guard lock(mutex_);
  if (!file_) return {};
  if (is_object_path(path_)) {
    MR_TRY(fs_.publish(*file_, path_, final_path_, IfTaken::kReplace, EntryDurability::kNow));
  } else {
    if (!seeded_bug("segment_not_synced")) MR_TRY(file_->sync());
    MR_TRY(file_->close());
    crash_point("segment.synced");
    MR_TRY(fs_.rename(path_, final_path_));
    MR_TRY(fs_.sync_directory(parent_path(final_path_)));
  }
  file_.reset();
  crash_point("segment.sealed");
  return {};
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(FileSystem& fs, const std::string& open_path,
                                                             SegmentLimits limits) {
  MR_ASSIGN(std::unique_ptr<WritableFile> file, fs.create(open_path));
  auto shared = std::make_shared<SegmentFile>(fs, open_path, std::move(file));
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(shared), limits));
}

Status SegmentWriter::add(std::string_view row) {
  uint64_t length = row.size();
  while (length >= 0x80) {
    block_.push_back(static_cast<char>(length | 0x80));
    length >>= 7;
  }
  block_.push_back(static_cast<char>(length));
  block_.append(row);
  ++block_rows_;
  ++rows_;
  const uint64_t part_rows = (part_open_ ? parts_.back().rows : 0) + block_rows_;
  const uint64_t part_bytes = (part_open_ ? parts_.back().bytes : 0) + block_.size();
  const bool part_full = part_rows >= limits_.part_rows || part_bytes >= limits_.part_bytes;
  if (!part_full && block_.size() < limits_.block_bytes) return {};
  MR_TRY(end_block());
  part_open_ = !part_full;
  return {};
}

Status SegmentWriter::end_block() {
  if (block_rows_ == 0) return {};
  if (!part_open_) parts_.push_back({.offset = written_, .bytes = 0, .rows = 0, .crc = 0});
  part_open_ = true;
  ByteWriter header;
  header.put<uint32_t>(static_cast<uint32_t>(block_.size()));
  header.put<uint32_t>(block_rows_);
  header.put<uint32_t>(crc32c(block_));
  MR_TRY(file_->append(header.view()));
  MR_TRY(file_->append(block_));
  SegmentPart& part = parts_.back();
  part.bytes += kBlockHeader + block_.size();
  part.rows += block_rows_;
  part.crc = crc32c(block_, part.crc);
  written_ += kBlockHeader + block_.size();
  block_.clear();
  block_rows_ = 0;
  return {};
}

Status SegmentWriter::finish() { return end_block(); }

std::string skipped_rows_path(const std::string& segment, uint32_t part) {
  return segment + std::string(kSkippedRows) + std::to_string(part);
}

std::string segment_of(const std::string& name) { return name.substr(0, name.find(kSkippedRows)); }

Result<std::vector<uint64_t>> read_skipped_rows(FileSystem& fs, const std::string& segment, uint32_t part) {
  const std::string path = skipped_rows_path(segment, part);
  std::vector<uint64_t> rows;
  const Result<std::string> found = fs.read_all(path);
  if (!found && found.error().code == ErrorCode::kNotFound) return rows;
  if (!found) return std::unexpected(found.error());
  const std::string& text = *found;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    uint64_t row = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, row);
    if (error != std::errc{} || stop != text.data() + end) {
      return make_error(ErrorCode::kCorruptState, path + " is not a list of row numbers");
    }
    rows.push_back(row);
    begin = end + 1;
  }
  std::ranges::sort(rows);
  return rows;
}

Status write_skipped_rows(FileSystem& fs, const std::string& segment, uint32_t part,
                          const std::vector<uint64_t>& rows) {
  std::string text;
  for (const uint64_t row : rows) text += std::to_string(row) + "\n";
  return write_file_durably(fs, skipped_rows_path(segment, part), text);
}

Result<std::unique_ptr<SegmentPartReader>> SegmentPartReader::open(FileSystem& fs, const std::string& path,
                                                                   const SegmentPart& part,
                                                                   std::vector<uint64_t> skipped) {
  auto file = fs.open(path);
  if (!file) {
    Error error = std::move(file).error();
    if (error.code != ErrorCode::kNotFound) return std::unexpected(std::move(error));
    return make_error(ErrorCode::kCorruptState, "the segment " + path + " is missing: output of a completed checkpoint",
                      "bring the file back, or accept the loss with `millrace run --fresh`");
  }
  return std::unique_ptr<SegmentPartReader>(new SegmentPartReader(std::move(*file), path, part, std::move(skipped)));
}

void SegmentPartReader::rewind() {
  at_ = 0;
  rows_seen_ = 0;
  block_.clear();
  block_at_ = 0;
}

std::unexpected<Error> SegmentPartReader::damaged(const char* what) const {
  return make_error(ErrorCode::kCorruptState, "the segment " + path_ + " is damaged: " + what);
}

Status SegmentPartReader::read_exactly(std::string& into, uint64_t size) {
  if (at_ + size > part_.bytes) return damaged("a block reaches over the end of its part");
  into.resize(size);
  size_t got = 0;
  while (got < size) {
    MR_ASSIGN(const size_t count, file_->read_at(part_.offset + at_ + got, into.data() + got, size - got));
    if (count == 0) return damaged("it is shorter than it was");
    got += count;
  }
  at_ += size;
  return {};
}

Status SegmentPartReader::read_block() {
  std::string header;
  MR_TRY(read_exactly(header, kBlockHeader));
  ByteReader in(header);
  const auto length = in.get<uint32_t>();
  (void)in.get<uint32_t>();
  const auto crc = in.get<uint32_t>();
  if (length == 0 || length > kBlockMax) return damaged("a block has an impossible length");
  MR_TRY(read_exactly(block_, length));
  if (crc32c(block_) != crc) return damaged("a checksum does not match");
  block_at_ = 0;
  return {};
}

Result<bool> SegmentPartReader::next(std::string_view& row) {
  while (true) {
    MR_ASSIGN(const bool more, next_of_all(row));
    if (!more) return false;
    if (!std::ranges::binary_search(skipped_, rows_seen_ - 1)) return true;
  }
}

Result<bool> SegmentPartReader::next_of_all(std::string_view& row) {
  if (block_at_ == block_.size()) {
    if (at_ == part_.bytes) {
      if (rows_seen_ != part_.rows) return damaged("rows are missing");
      return false;
    }
    MR_TRY(read_block());
  }
  ByteReader in(std::string_view(block_).substr(block_at_));
  row = in.get_string();
  if (!in.ok()) return damaged("a row reaches over its block");
  block_at_ = block_.size() - in.left();
  ++rows_seen_;
  return true;
}

}  // namespace millrace
