// One connection to another task manager, from its hello to its end: which channel numbers stand for which ends, and
// channels that the peer opened for attempts that are not deployed here yet. Io thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "taskmanager/network/job_link.h"

namespace millrace {

class PeerLink;
using PeerLinkPtr = std::shared_ptr<PeerLink>;

/// Who a link reports to; io thread.
class PeerEvents {
 public:
  virtual ~PeerEvents() = default;
  /// The peer says who it is. An error ends the connection.
  virtual Status hello(PeerLink& link, const Hello& hello) = 0;
  /// It is accepted as peer() from here on.
  virtual void greeted(const PeerLinkPtr& link) = 0;
  virtual void closed(const PeerLinkPtr& link, const std::string& why) = 0;
  /// Null: the attempt is not here, or no channel of it leads to the peer.
  virtual JobLinkPtr find_job(const PeerLink& link, const AttemptId& attempt) = 0;
  virtual uint64_t next_channel() = 0;
  virtual void stale_frame() = 0;
};

class PeerLink final : public FrameReceiver, public std::enable_shared_from_this<PeerLink> {
 public:
  /// `expected`: the id of the task manager that was dialed; "" for an accepted connection.
  PeerLink(PeerEvents& events, FrameConnectionPtr connection, std::string expected)
      : events_(events), connection_(std::move(connection)), expected_(std::move(expected)) {}

  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] const std::string& expected() const { return expected_; }
  [[nodiscard]] bool dialed() const { return !expected_.empty(); }
  [[nodiscard]] FrameConnection& connection() { return *connection_; }

  /// Opens the job's channels from the peer, and takes up those that the peer has opened.
  void join(const JobLinkPtr& job);
  void leave(const JobLink& job);
  void send_alignment(const JobLink& job, int64_t slowest);

  Status received(InFrame frame) override;
  void closed(const std::string& why) override;

 private:
  Status hello(const InFrame& frame);
  Status open(const InFrame& frame);
  Status left(const InFrame& frame);
  Status aligned(const InFrame& frame);
  Status element(InFrame frame);
  void credit(const FrameHeader& header);
  void bind(JobLink& job, const OpenChannel& open);

  struct Numbers {
    std::vector<uint64_t> inputs;
    std::vector<uint64_t> outputs;
  };
  PeerEvents& events_;
  FrameConnectionPtr connection_;
  std::string expected_;
  std::string peer_;  // once it said hello
  std::unordered_map<uint64_t, std::shared_ptr<RemoteInput>> inputs_;
  std::unordered_map<uint64_t, std::shared_ptr<RemoteOutput>> outputs_;
  std::map<AttemptId, Numbers> numbers_;
  std::map<AttemptId, std::vector<OpenChannel>> waiting_;  // for the attempt to be deployed here
  size_t waiting_channels_ = 0;
};

}  // namespace millrace
