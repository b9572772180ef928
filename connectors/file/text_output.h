// A growing text file of a sink: appended, made durable by checkpoints, cut back when a checkpoint is restored.
// append() and flush() on the worker; sync_text_output() on the snapshot thread. What was flushed is visible to
// readers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/file_system.h"
#include "core/status.h"

namespace millrace {

class TextOutput {
 public:
  /// Goes on at the end of the file, or creates it (and its directory).
  Status open(const std::string& path);
  Status append(std::string_view text);
  /// Hands everything to the operating system.
  Status flush();
  Status close();
  [[nodiscard]] uint64_t length() const { return length_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return !path_.empty(); }

 private:
  std::string path_;
  std::unique_ptr<WritableFile> file_;  // null between a flush and the next append
  uint64_t length_ = 0;
};

/// Everything flushed so far is durable afterwards.
Status sync_text_output(const std::string& path);
/// Drops what stands behind `length`. kRefusedByState when the file is shorter or gone.
Status cut_text_output(const std::string& path, uint64_t length);
/// 0 when it does not exist.
Result<uint64_t> file_length(const std::string& path);

}  // namespace millrace
