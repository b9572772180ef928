// The data plane of a task manager: rows between subtasks that run in different processes. One io thread, one listening
// port, one TCP connection per pair of task managers, on which the channels of all jobs are multiplexed; each channel
// has a window of its own, so a slow reader holds up nobody else. Outlives every job that joined. start(), join() and
// the destructors are called by the threads that control jobs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/metrics.h"
#include "core/status.h"
#include "runtime/remote_channels.h"
#include "taskmanager/network/job_link.h"

namespace millrace {

struct DataNetworkOptions {
  std::string id;                  // of this task manager
  std::string bind = "127.0.0.1";  // an IP address
  uint16_t port = 0;               // 0: any free one
  /// Where others reach this one; "": the bind address, or the name of this host when that is a wildcard.
  std::string advertised_host{};
  int64_t connect_timeout_ms = 10'000;
  ChannelWindow window;
  CompressionRule compression{.bytes_min = 8192};
  MetricRegistry* metrics = nullptr;  // may be null
};

class DataNetwork {
 public:
  static Result<std::unique_ptr<DataNetwork>> start(DataNetworkOptions options);
  ~DataNetwork();
  DataNetwork(const DataNetwork&) = delete;
  DataNetwork& operator=(const DataNetwork&) = delete;

  /// "host:port" for JobMember::data_address.
  [[nodiscard]] std::string address() const;
  /// The channels of one attempt; leaves the network when destroyed, and calls nothing of the job afterwards.
  /// kBadMessage when the members do not make sense.
  Result<std::unique_ptr<RemoteChannels>> join(NetworkJob job);

  /// Frames of attempts that are gone, dropped.
  [[nodiscard]] uint64_t stale_frames() const;
  [[nodiscard]] uint64_t connections() const;

 private:
  struct Impl;
  explicit DataNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
