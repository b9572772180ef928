#include "taskmanager/network/network_hub.h"

#include <algorithm>

#include "core/log.h"

namespace millrace {

namespace {
constexpr int64_t kDialTimeoutMs = 3'000;
constexpr int64_t kHelloTimeoutMs = 5'000;
constexpr int64_t kAlignmentMs = 100;
constexpr int64_t kFirstRetryMs = 20;
constexpr int64_t kLastRetryMs = 500;

std::string named(const std::string& task_manager, const std::string& address) {
  return "task manager `" + task_manager + "` (" + address + ")";
}
}  // namespace

void NetworkHub::attach(const JobLinkPtr& job) {
  for (const auto& [number, peer] : job->peers) attach(job, job->member(number));
  io_.after(options_.connect_timeout_ms, [this, weak = std::weak_ptr(job)] {
    if (const JobLinkPtr waiting = weak.lock()) give_up(waiting);
  });
  if (job->alignment) tell_alignment(job);
}

void NetworkHub::attach(const JobLinkPtr& job, const JobMember& member) {
  // The old process is gone if its successor has another address, though nothing may have told the connection.
  const auto known = peers_.find(member.task_manager);
  if (known != peers_.end() && !known->second.address.empty() && known->second.address != member.data_address) {
    drop(member.task_manager, "it started anew at " + member.data_address);
  }
  Peer& peer = peers_[member.task_manager];
  peer.address = member.data_address;
  peer.jobs.insert(job);
  if (peer.link) return peer.link->join(job);
  const bool dials = options_.id < member.task_manager;
  if (dials && !peer.dialing) {
    peer.tries = 0;
    dial(member.task_manager);
  }
}

void NetworkHub::detach(const JobLinkPtr& job) {
  job->failed = true;  // nobody listens any more
  for (const auto& [number, used] : job->peers) {
    const std::string& task_manager = job->member(number).task_manager;
    const auto found = peers_.find(task_manager);
    if (found == peers_.end()) continue;
    found->second.jobs.erase(job);
    if (found->second.link) found->second.link->leave(*job);
    forget_if_idle(task_manager);
  }
}

void NetworkHub::tell_alignment(const JobLinkPtr& job) {
  if (job->failed) return;
  const int64_t slowest = job->alignment->slowest_here();
  for (const auto& [number, used] : job->peers) {
    const auto found = peers_.find(job->member(number).task_manager);
    if (used.aligned && found != peers_.end() && found->second.link) found->second.link->send_alignment(*job, slowest);
  }
  io_.after(kAlignmentMs, [this, weak = std::weak_ptr(job)] {
    if (const JobLinkPtr still = weak.lock()) tell_alignment(still);
  });
}

void NetworkHub::give_up(const JobLinkPtr& job) {
  for (const auto& [number, used] : job->peers) {
    if (used.connected) continue;
    const JobMember& member = job->member(number);
    const auto found = peers_.find(member.task_manager);
    const std::string trouble = found == peers_.end() ? "" : found->second.trouble;
    return job->fail(Error(ErrorCode::kConnectionLost,
                           "no data connection to " + named(member.task_manager, member.data_address) + " within " +
                               std::to_string(options_.connect_timeout_ms / 1000) + " s" +
                               (trouble.empty() ? "" : ": " + trouble),
                           {}));
  }
}

void NetworkHub::dial(const std::string& task_manager) {
  Peer& peer = peers_[task_manager];
  peer.dialing = true;
  io_.dial(peer.address, kDialTimeoutMs, [this, task_manager](Result<FrameConnectionPtr> connection) {
    dialed(task_manager, std::move(connection));
  });
}

void NetworkHub::dialed(const std::string& task_manager, Result<FrameConnectionPtr> connection) {
  if (!connection) return dial_later(task_manager, connection.error().message);
  const auto link = std::make_shared<PeerLink>(*this, *connection, task_manager);
  (*connection)->start(link);
  (*connection)->send(encode_hello({.from = options_.id, .to = task_manager}));
  expect_hello(link);
}

void NetworkHub::dial_later(const std::string& task_manager, const std::string& trouble) {
  const auto found = peers_.find(task_manager);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.trouble = trouble;
  peer.dialing = false;
  // Jobs that failed in the meantime do not need it any more.
  const bool wanted = std::ranges::any_of(peer.jobs, [](const JobLinkPtr& job) { return !job->failed; });
  if (!wanted) return forget_if_idle(task_manager);
  peer.dialing = true;
  io_.after(std::min(kLastRetryMs, kFirstRetryMs << std::min(peer.tries++, 6)), [this, task_manager] {
    if (peers_.contains(task_manager)) dial(task_manager);
  });
}

void NetworkHub::accepted(FrameConnectionPtr connection) {
  const auto link = std::make_shared<PeerLink>(*this, connection, "");
  connection->start(link);
  expect_hello(link);
}

void NetworkHub::expect_hello(const PeerLinkPtr& link) {
  io_.after(kHelloTimeoutMs, [weak = std::weak_ptr(link)] {
    const PeerLinkPtr silent = weak.lock();
    if (silent && silent->peer().empty()) silent->connection().close("it does not say hello");
  });
}

Status NetworkHub::hello(PeerLink& link, const Hello& hello) {
  // The answer comes first: whoever dialed the wrong process or version learns it from there.
  if (!link.dialed()) link.connection().send(encode_hello({.from = options_.id, .to = hello.from}));
  if (hello.version != kDataProtocol) {
    return make_error(ErrorCode::kBadMessage, "it speaks version " + std::to_string(hello.version) +
                                                  " of the data protocol, this task manager version " +
                                                  std::to_string(kDataProtocol));
  }
  if (link.dialed() && hello.from != link.expected()) {
    return make_error(ErrorCode::kBadMessage, "there is `" + hello.from + "` instead");
  }
  if (hello.to != options_.id) return make_error(ErrorCode::kBadMessage, "it looks for `" + hello.to + "`");
  if (!link.dialed() && hello.from >= options_.id) {
    return make_error(ErrorCode::kBadMessage, "`" + hello.from + "` does not dial, it is dialed");
  }
  return {};
}

void NetworkHub::greeted(const PeerLinkPtr& link) {
  drop(link->peer(), "it connected anew");
  Peer& peer = peers_[link->peer()];
  peer.link = link;
  peer.dialing = false;
  peer.trouble.clear();
  connected_.fetch_add(1, std::memory_order_relaxed);
  log_debug("data connection", {{"task_manager", link->peer()}, {"address", link->connection().remote()}});
  for (const JobLinkPtr& job : peer.jobs) link->join(job);
}

void NetworkHub::closed(const PeerLinkPtr& link, const std::string& why) {
  if (link->peer().empty()) {
    log_debug("data connection refused", {{"address", link->connection().remote()}, {"reason", why}});
    if (link->dialed()) dial_later(link->expected(), why);
    return;
  }
  const auto found = peers_.find(link->peer());
  if (found == peers_.end() || found->second.link != link) return;
  connected_.fetch_sub(1, std::memory_order_relaxed);
  found->second.link.reset();
  const std::set<JobLinkPtr> jobs = found->second.jobs;
  log_info("data connection ended", {{"task_manager", link->peer()}, {"reason", why}});
  for (const JobLinkPtr& job : jobs) {
    job->fail(Error(ErrorCode::kConnectionLost,
                    "the data connection to " + named(link->peer(), found->second.address) + " was lost: " + why, {}));
  }
  forget_if_idle(link->peer());
}

void NetworkHub::drop(const std::string& task_manager, const std::string& why) {
  const auto found = peers_.find(task_manager);
  if (found == peers_.end() || !found->second.link) return;
  const PeerLinkPtr link = found->second.link;  // the entry may go with it
  link->connection().close(why);
}

JobLinkPtr NetworkHub::find_job(const PeerLink& link, const AttemptId& attempt) {
  const auto found = peers_.find(link.peer());
  if (found == peers_.end()) return nullptr;
  for (const JobLinkPtr& job : found->second.jobs) {
    if (attempt_of(*job) == attempt) return job;
  }
  return nullptr;
}

void NetworkHub::forget_if_idle(const std::string& task_manager) {
  const auto found = peers_.find(task_manager);
  if (found == peers_.end()) return;
  const Peer& peer = found->second;
  if (!peer.link && !peer.dialing && peer.jobs.empty()) peers_.erase(found);
}

}  // namespace millrace
