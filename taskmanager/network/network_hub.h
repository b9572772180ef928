// The state of the data network that belongs to its io thread: which task managers are connected, which are being
// dialed, and which attempts of jobs wait for them. Of two task managers the one with the smaller id dials. A
// connection lives as long as both processes; its end fails the jobs that have channels on it, and nobody else's.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "taskmanager/network/data_network.h"
#include "taskmanager/network/peer_link.h"

namespace millrace {

class NetworkHub final : public PeerEvents {
 public:
  NetworkHub(const DataNetworkOptions& options, FrameIo& io) : options_(options), io_(io) {}

  void attach(const JobLinkPtr& job);
  void detach(const JobLinkPtr& job);
  void accepted(FrameConnectionPtr connection);
  /// Ends the connection to a task manager, if there is one.
  void drop(const std::string& task_manager, const std::string& why);

  // Any thread.
  [[nodiscard]] uint64_t stale_frames() const { return stale_frames_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t connections() const { return connected_.load(std::memory_order_relaxed); }

  Status hello(PeerLink& link, const Hello& hello) override;
  void greeted(const PeerLinkPtr& link) override;
  void closed(const PeerLinkPtr& link, const std::string& why) override;
  JobLinkPtr find_job(const PeerLink& link, const AttemptId& attempt) override;
  uint64_t next_channel() override { return ++last_channel_; }
  void stale_frame() override { stale_frames_.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Peer {
    std::string address;
    PeerLinkPtr link;  // null: not connected
    bool dialing = false;
    int tries = 0;
    std::string trouble;  // of the last try
    std::set<JobLinkPtr> jobs;
  };
  void attach(const JobLinkPtr& job, const JobMember& member);
  void expect_hello(const PeerLinkPtr& link);
  void dial(const std::string& task_manager);
  void dialed(const std::string& task_manager, Result<FrameConnectionPtr> connection);
  void dial_later(const std::string& task_manager, const std::string& trouble);
  void give_up(const JobLinkPtr& job);
  void tell_alignment(const JobLinkPtr& job);
  void forget_if_idle(const std::string& task_manager);

  const DataNetworkOptions& options_;
  FrameIo& io_;
  std::map<std::string, Peer> peers_;  // by task manager
  uint64_t last_channel_ = 0;
  std::atomic<uint64_t> stale_frames_{0};
  std::atomic<uint64_t> connected_{0};
};

}  // namespace millrace
