#include "core/s3/s3_file.h"

#include <algorithm>

#include "core/s3/objects.h"
#include "core/s3/upload.h"

namespace millrace {

namespace {

constexpr size_t kTailBytes = 128 << 10;
constexpr size_t kWindowMin = 64 << 10;
constexpr size_t kWindowMax = 4 << 20;

}  // namespace

Status S3WritableFile::append(std::string_view bytes) {
  if (uploaded_) return make_error(ErrorCode::kInternal, path_.text() + ": written to after its upload");
  return spool_.append(bytes);
}

Status S3WritableFile::sync() {
  if (uploaded_) return {};
  MR_TRY(s3_upload(client_, path_, spool_));
  uploaded_ = true;
  return {};
}

Status S3WritableFile::publish(const S3Path& to, IfTaken if_taken) {
  if (uploaded_) return make_error(ErrorCode::kInternal, path_.text() + ": published after its upload");
  MR_TRY(if_taken == IfTaken::kRefuse ? s3_upload_new(client_, to, spool_) : s3_upload(client_, to, spool_));
  uploaded_ = true;
  return {};
}

Result<std::unique_ptr<S3ReadableFile>> S3ReadableFile::open(S3Client& client, S3Path path) {
  MR_ASSIGN(S3Tail tail, s3_get_tail(client, path, kTailBytes));
  const uint64_t offset = tail.object_bytes - std::min<uint64_t>(tail.bytes.size(), tail.object_bytes);
  return std::unique_ptr<S3ReadableFile>(
      new S3ReadableFile(client, std::move(path), tail.object_bytes, {offset, std::move(tail.bytes)}));
}

size_t S3ReadableFile::window_bytes(uint64_t offset, size_t size) {
  const uint64_t left = tail_->offset - offset;  // from there on the bytes are at hand
  const bool in_order = window_ && offset == window_->offset + window_->bytes.size();
  const size_t wanted = in_order ? std::min(window_->bytes.size() * 2, kWindowMax) : kWindowMin;
  return static_cast<size_t>(std::min<uint64_t>(std::max(size, wanted), left));
}

Result<size_t> S3ReadableFile::read_at(uint64_t offset, char* into, size_t size) {
  size_t done = 0;
  while (done < size && offset + done < size_) {
    const uint64_t at = offset + done;
    WindowPtr window = tail_->holds(at) ? tail_ : nullptr;
    size_t fetched = 0;
    if (!window) {
      const std::lock_guard lock(mutex_);
      window = window_ && window_->holds(at) ? window_ : nullptr;
      if (!window) fetched = window_bytes(at, size - done);
    }
    if (!window) {
      auto fresh = std::make_shared<Window>(Window{at, std::string(fetched, '\0')});
      MR_ASSIGN(const size_t got, s3_get_range(client_, path_, at, fresh->bytes.data(), fetched));
      if (got == 0) break;
      fresh->bytes.resize(got);
      const std::lock_guard lock(mutex_);
      window = window_ = std::move(fresh);
    }
    done += window->bytes.copy(into + done, size - done, at - window->offset);
  }
  return done;
}

}  // namespace millrace
