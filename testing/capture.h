// What a test sees of a job: rows of chosen outputs as JSON lines, in order of arrival. mark() remembers a checkpoint;
// rewind() forgets what came behind it, which is what a consumer of committed output sees after a crash. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

class Capture {
 public:
  void add(const std::string& name, std::string line) { lines_[name].push_back(std::move(line)); }
  void mark() { marked_ = lines_; }
  void rewind() { lines_ = marked_; }
  [[nodiscard]] const std::vector<std::string>& lines(const std::string& name) { return lines_[name]; }

 private:
  std::map<std::string, std::vector<std::string>> lines_;
  std::map<std::string, std::vector<std::string>> marked_;
};

/// A sink that writes its rows into `capture` under `name`.
SinkWriterPtr make_capture_writer(std::shared_ptr<Capture> capture, std::string name, EncoderPtr encoder);

}  // namespace millrace
