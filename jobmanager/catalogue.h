// What a job manager must not forget: one small checksummed file per job in <data_dir>/jobs. The job's own directory
// stays the truth about its attempt, its file and its checkpoints; the catalogue says which jobs there are and whether
// they should run. Used under the dispatcher's lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file_system.h"
#include "core/status.h"
#include "jobmanager/job_state.h"
#include "jobmanager/submit_options.h"

namespace millrace {

struct CatalogueEntry {
  std::string job_id;
  std::string name;
  std::string directory;  // of the job
  std::string spec;       // as submitted; the job's directory may have a newer one
  int64_t submitted_ms = 0;
  SubmitOptions options;  // but for `start`, which is of the first start only and not kept
  bool ended = false;
  JobState state = JobState::kCreated;  // when ended
  int64_t ended_ms = 0;
};

class Catalogue {
 public:
  /// Makes the directory where it is missing.
  static Result<Catalogue> open(FileSystem& fs, const std::string& directory);

  /// Every entry that can be read, oldest first; damaged ones are named in the log and left alone.
  Result<std::vector<CatalogueEntry>> load();
  /// Durable when it returns.
  Status save(const CatalogueEntry& entry);
  Status remove(const std::string& job_id);

 private:
  Catalogue(FileSystem& fs, std::string directory) : fs_(&fs), directory_(std::move(directory)) {}
  [[nodiscard]] std::string path(const std::string& job_id) const;

  FileSystem* fs_;
  std::string directory_;
};

}  // namespace millrace
