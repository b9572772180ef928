#include "connectors/file/text_output.h"

namespace millrace {

Result<uint64_t> file_length(const std::string& path) {
  if (!local_file_system().exists(path)) return 0;
  MR_ASSIGN(auto file, local_file_system().open(path));
  return file->size();
}

Status TextOutput::open(const std::string& path) {
  MR_TRY(local_file_system().create_directories(parent_path(path)));
  MR_ASSIGN(length_, file_length(path));
  MR_ASSIGN(file_, local_file_system().open_append(path));
  path_ = path;
  return {};
}

Status TextOutput::append(std::string_view text) {
  if (!file_) {
    MR_ASSIGN(file_, local_file_system().open_append(path_));
  }
  MR_TRY(file_->append(text));
  length_ += text.size();
  return {};
}

Status TextOutput::flush() {
  if (!file_) return {};
  Status closed = file_->close();
  file_.reset();
  return closed;
}

Status TextOutput::close() {
  Status flushed = flush();
  path_.clear();
  return flushed;
}

Status sync_text_output(const std::string& path) {
  MR_ASSIGN(auto file, local_file_system().open_append(path));
  MR_TRY(file->sync());
  MR_TRY(file->close());
  return local_file_system().sync_directory(parent_path(path));
}

Status cut_text_output(const std::string& path, uint64_t length) {
  MR_ASSIGN(const uint64_t found, file_length(path));
  if (found == length) return {};
  if (found < length)
    return make_error(ErrorCode::kRefusedByState,
                      "the checkpoint knows " + std::to_string(length) + " bytes of " + path + ", but the file has " +
                          std::to_string(found),
                      "rows would be missing; put the file back, or start the job with --fresh");
  return local_file_system().truncate(path, length);
}

}  // namespace millrace
