#include "core/file_copy.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>

namespace millrace {

namespace {

constexpr size_t kPieceBytes = 1 << 20;

/// `take` is called with each piece in order.
template <class Take>
Result<FileDigest> read_pieces(FileSystem& fs, const std::string& path, const Take& take) {
  MR_ASSIGN(const auto file, fs.open(path));
  const auto piece = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  FileDigest digest;
  while (true) {
    MR_ASSIGN(const size_t got, file->read_at(digest.bytes, piece.get(), kPieceBytes));
    if (got == 0) break;
    XXH3_64bits_update(&state, piece.get(), got);
    digest.bytes += got;
    MR_TRY(take(std::string_view(piece.get(), got)));
  }
  digest.checksum = XXH3_64bits_digest(&state);
  return digest;
}

}  // namespace

Result<uint64_t> file_size(FileSystem& fs, const std::string& path) {
  MR_ASSIGN(const auto file, fs.open(path));
  return file->size();
}

Result<FileDigest> digest_file(FileSystem& fs, const std::string& path) {
  return read_pieces(fs, path, [](std::string_view) { return Status{}; });
}

Result<FileDigest> copy_into(FileSystem& from_fs, const std::string& from, WritableFile& to) {
  return read_pieces(from_fs, from, [&](std::string_view piece) { return to.append(piece); });
}

Result<FileDigest> copy_file(FileSystem& from_fs, const std::string& from, FileSystem& to_fs, const std::string& to,
                             CopySync sync) {
  MR_ASSIGN(const auto target, to_fs.create(to));
  MR_ASSIGN(const FileDigest digest, copy_into(from_fs, from, *target));
  if (sync == CopySync::kYes) MR_TRY(target->sync());
  MR_TRY(target->close());
  return digest;
}

}  // namespace millrace
