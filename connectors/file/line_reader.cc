#include "connectors/file/line_reader.h"

#include <algorithm>
#include <cstring>

namespace millrace {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;
/// Few records at a time would each pin a whole block: they are copied instead.
constexpr uint32_t kCopyBelow = 64;

}  // namespace

Status LineReader::open(LinePosition at) {
  MR_ASSIGN(file_, local_file_system().open(path_));
  position_ = at;
  block_.reset();
  cursor_ = end_ = nullptr;
  at_end_ = false;
  return {};
}

void LineReader::close() {
  file_.reset();
  block_.reset();
  cursor_ = end_ = nullptr;
}

Result<uint64_t> LineReader::size() { return file_->size(); }

/// Moves the incomplete record to a new block and reads behind it. The block of delivered records is never written
/// again.
Status LineReader::fill() {
  const auto kept = static_cast<size_t>(end_ - cursor_);
  const size_t wanted = std::max(kBlockBytes, kept);
  auto block = std::make_shared<Arena>(kept + wanted);
  char* bytes = block->allocate(kept + wanted);
  if (kept > 0) std::memcpy(bytes, cursor_, kept);
  MR_ASSIGN(const size_t got, file_->read_at(position_.offset + kept, bytes + kept, wanted));
  if (got == 0) {
    at_end_ = true;
    return {};
  }
  block_ = std::move(block);
  cursor_ = bytes;
  end_ = bytes + kept + got;
  at_end_ = false;
  return {};
}

/// The line feed that ends the record starting at `from`; nullptr when it is not in the block.
const char* LineReader::find_end(const char* from) const {
  const char* at = from;
  bool quoted = false;
  while (at < end_) {
    const auto* feed = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end_ - at)));
    if (feed == nullptr) return nullptr;
    if (!csv_) return feed;
    if (std::count(at, feed, '"') % 2 != 0) quoted = !quoted;
    if (!quoted) return feed;
    at = feed + 1;
  }
  return nullptr;
}

void LineReader::take(const char* end, size_t line_end_bytes, bool copy, RecordBatch& out) {
  std::string_view text(cursor_, static_cast<size_t>(end - cursor_));
  const auto feeds = csv_ ? std::count(text.begin(), text.end(), '\n') : 0;
  const size_t whole = text.size() + line_end_bytes;
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  Record record;
  record.value = copy ? out.arena->copy(text) : StringRef(text);
  record.offset = static_cast<int64_t>(position_.offset);
  record.line = position_.line;
  out.records.push_back(record);
  cursor_ += whole;
  position_.offset += whole;
  position_.line += feeds + static_cast<int64_t>(line_end_bytes);
}

Status LineReader::read(uint32_t max, uint64_t stop, bool take_rest, RecordBatch& out) {
  const bool copy = max < kCopyBelow;
  if (cursor_ == end_) MR_TRY(fill());
  if (copy) out.arena = std::make_shared<Arena>(1024);
  while (out.records.size() < max && position_.offset < stop) {
    if (const char* end = find_end(cursor_); end != nullptr) {
      take(end, 1, copy, out);
      continue;
    }
    if (!out.records.empty()) break;  // deliver what this block holds before reading on
    MR_TRY(fill());
    if (!at_end_) continue;
    if (take_rest && cursor_ != end_) take(end_, 0, copy, out);
    break;
  }
  if (!copy) out.arena = block_;
  if (position_.offset >= stop) at_end_ = true;
  return {};
}

}  // namespace millrace
