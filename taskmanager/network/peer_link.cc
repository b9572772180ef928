#include "taskmanager/network/peer_link.h"

namespace millrace {

namespace {
constexpr size_t kWaitingChannelsMax = 1 << 18;
}

void PeerLink::join(const JobLinkPtr& job) {
  JobLink::Peer* peer = job->find_peer(peer_);
  if (peer == nullptr) return;
  peer->connected = true;
  const AttemptId attempt = attempt_of(*job);
  Numbers& numbers = numbers_[attempt];
  for (const JobLink::Input& input : peer->inputs) {
    const uint64_t channel = events_.next_channel();
    input.end->connected(connection_, channel);
    inputs_[channel] = input.end;
    numbers.inputs.push_back(channel);
    const ChannelWindow& window = input.end->window();
    connection_->send(encode_open({.job_id = job->job.job_id,
                                   .attempt = job->job.attempt,
                                   .key = input.key,
                                   .channel = channel,
                                   .window_bytes = window.bytes,
                                   .window_entries = window.entries}));
  }
  const auto found = waiting_.find(attempt);
  if (found == waiting_.end()) return;
  const std::vector<OpenChannel> opened = std::move(found->second);
  waiting_channels_ -= opened.size();
  waiting_.erase(found);
  for (const OpenChannel& open : opened) bind(*job, open);
}

void PeerLink::bind(JobLink& job, const OpenChannel& open) {
  JobLink::Peer* peer = job.find_peer(peer_);
  const auto found = peer->outputs.find(open.key);
  if (found == peer->outputs.end()) {
    return job.fail(Error(ErrorCode::kBadMessage,
                          "task manager `" + peer_ + "` has another plan of the job: edge " +
                              std::to_string(open.key.edge) + " leads elsewhere",
                          {}));
  }
  if (!found->second->opened(connection_, open.channel, {open.window_bytes, open.window_entries})) {
    return job.fail(Error(ErrorCode::kBadMessage, "task manager `" + peer_ + "` opened a channel twice", {}));
  }
  outputs_[open.channel] = found->second;
  numbers_[attempt_of(job)].outputs.push_back(open.channel);
}

void PeerLink::leave(const JobLink& job) {
  const auto found = numbers_.find(attempt_of(job));
  if (found == numbers_.end()) return;
  for (const uint64_t channel : found->second.inputs) inputs_.erase(channel);
  for (const uint64_t channel : found->second.outputs) outputs_.erase(channel);
  numbers_.erase(found);
  connection_->send(encode_leave({job.job.job_id, job.job.attempt}));
}

void PeerLink::send_alignment(const JobLink& job, int64_t slowest) {
  connection_->send(encode_aligned({job.job.job_id, job.job.attempt}, slowest));
}

Status PeerLink::received(InFrame frame) {
  if (peer_.empty()) return hello(frame);
  switch (frame.header.type) {
    case FrameType::kHello:
      return make_error(ErrorCode::kBadMessage, "it said hello twice");
    case FrameType::kOpen:
      return open(frame);
    case FrameType::kLeave:
      return left(frame);
    case FrameType::kAligned:
      return aligned(frame);
    case FrameType::kCredit:
      credit(frame.header);
      return {};
    case FrameType::kElement:
      return element(std::move(frame));
  }
  return {};
}

Status PeerLink::hello(const InFrame& frame) {
  MR_ASSIGN(const Hello hello, decode_hello(frame));
  MR_TRY(events_.hello(*this, hello));
  peer_ = hello.from;
  events_.greeted(shared_from_this());
  return {};
}

Status PeerLink::open(const InFrame& frame) {
  MR_ASSIGN(const OpenChannel open, decode_open(frame));
  const AttemptId attempt{open.job_id, open.attempt};
  if (const JobLinkPtr job = events_.find_job(*this, attempt)) {
    bind(*job, open);
    return {};
  }
  if (waiting_channels_ >= kWaitingChannelsMax) {
    return make_error(ErrorCode::kBadMessage, "it opened too many channels of jobs that are not here");
  }
  waiting_[attempt].push_back(open);
  ++waiting_channels_;
  return {};
}

Status PeerLink::left(const InFrame& frame) {
  MR_ASSIGN(const JobAttempt leave, decode_job_attempt(frame));
  const auto found = waiting_.find({leave.job_id, leave.attempt});
  if (found == waiting_.end()) return {};
  waiting_channels_ -= found->second.size();
  waiting_.erase(found);
  return {};
}

Status PeerLink::aligned(const InFrame& frame) {
  MR_ASSIGN(const JobAttempt attempt, decode_job_attempt(frame));
  // An attempt that is not here yet hears it again.
  const JobLinkPtr job = events_.find_job(*this, {attempt.job_id, attempt.attempt});
  if (!job || !job->alignment) return {};
  job->find_peer(peer_)->slowest = frame.header.value;
  job->report_alignment();
  return {};
}

Status PeerLink::element(InFrame frame) {
  const auto found = inputs_.find(frame.header.channel);
  if (found == inputs_.end()) {
    events_.stale_frame();
    return {};
  }
  if (found->second->receive(std::move(frame))) return {};
  return make_error(ErrorCode::kBadMessage, "it sent more than it had credit for");
}

void PeerLink::credit(const FrameHeader& header) {
  const auto found = outputs_.find(header.channel);
  if (found == outputs_.end()) return events_.stale_frame();
  if (header.value > 0) found->second->credit(static_cast<size_t>(header.value), header.entries);
}

void PeerLink::closed(const std::string& why) {
  inputs_.clear();
  outputs_.clear();
  events_.closed(shared_from_this(), why);
}

}  // namespace millrace
