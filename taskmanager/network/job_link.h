// What one attempt of a job has on the network: its members and the ends of its channels here. The ends are filled in
// while the deployment is built; from attach to detach it belongs to the io thread.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "rpc/messages.h"
#include "runtime/source_alignment.h"
#include "taskmanager/network/remote_channel.h"

namespace millrace {

struct NetworkJob {
  std::string job_id;
  int64_t attempt = 0;
  std::vector<JobMember> members;
  uint32_t self = 0;
  /// At most once, on the io thread: a peer was lost. Must not wait.
  std::function<void(const Error&)> failed;
};

struct JobLink {
  struct Input {
    ChannelKey key;
    std::shared_ptr<RemoteInput> end;
  };
  /// Channels to and from one member.
  struct Peer {
    std::vector<Input> inputs;
    std::map<ChannelKey, std::shared_ptr<RemoteOutput>> outputs;
    bool connected = false;
    bool aligned = false;         // takes part in `max_drift`
    int64_t slowest = INT64_MIN;  // of its sources, as far as it said
  };

  NetworkJob job;
  std::map<uint32_t, Peer> peers;              // by member; those with channels or sources to align with
  std::shared_ptr<SourceAlignment> alignment;  // null: the job has no `max_drift`
  bool failed = false;

  [[nodiscard]] const JobMember& member(uint32_t number) const { return job.members[number]; }
  /// Null: no channel of the job leads there.
  [[nodiscard]] Peer* find_peer(const std::string& task_manager) {
    for (auto& [number, peer] : peers) {
      if (member(number).task_manager == task_manager) return &peer;
    }
    return nullptr;
  }
  void report_alignment() const {
    int64_t slowest = INT64_MAX;
    for (const auto& [number, peer] : peers) {
      if (peer.aligned) slowest = std::min(slowest, peer.slowest);
    }
    alignment->report_others(slowest);
  }
  void fail(Error error) {
    if (failed) return;
    failed = true;
    job.failed(error);
  }
};
using JobLinkPtr = std::shared_ptr<JobLink>;
using AttemptId = std::pair<std::string, int64_t>;  // job id, attempt

inline AttemptId attempt_of(const JobLink& link) { return {link.job.job_id, link.job.attempt}; }

}  // namespace millrace
