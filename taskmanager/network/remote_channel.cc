#include "taskmanager/network/remote_channel.h"

#include <lz4.h>

#include <algorithm>

#include "data/wire.h"

namespace millrace {

bool RemoteOutput::offer(Element& element) {
  if (broken_) return false;
  // A full channel is not worth the encoding yet.
  if (!encoded_ && has_room(0) && !encode(element)) return false;
  if (send()) return true;
  // Announce the wait, then look again, as in Channel::offer(): credit that came in between would not wake anybody.
  waits_.store(true, std::memory_order_seq_cst);
  if (!encoded_ && has_room(0) && !encode(element)) return false;
  if (!send()) return false;
  waits_.store(false, std::memory_order_relaxed);
  return true;
}

bool RemoteOutput::overtake(int64_t checkpoint) {
  if (broken_ || !open_.load(std::memory_order_acquire)) return false;
  if (encoded_ && encoded_kind_ == ElementKind::kBarrier) encoded_.reset();
  connection_->send(
      make_frame({.element = ElementKind::kBarrier, .overtaking = true, .channel = number_, .value = checkpoint}));
  return true;
}

bool RemoteOutput::has_room(size_t cost) const {
  if (!open_.load(std::memory_order_seq_cst)) return false;
  const size_t held = bytes_.load(std::memory_order_seq_cst);
  if (entries_.load(std::memory_order_seq_cst) >= window_.entries) return false;
  return held * 4 < window_.bytes || held + cost <= window_.bytes;
}

bool RemoteOutput::send() {
  if (!encoded_ || !has_room(cost_)) return false;
  bytes_.fetch_add(cost_, std::memory_order_seq_cst);
  entries_.fetch_add(1, std::memory_order_seq_cst);
  connection_->send(std::move(*encoded_));
  encoded_.reset();
  return true;
}

bool RemoteOutput::encode(const Element& element) {
  FrameHeader header{.element = element.kind, .final = element.final, .channel = number_, .value = element.value};
  std::string body;
  if (element.kind == ElementKind::kBatch) {
    body = encode_batch(element.batch, *schema_);
    if (body.size() > kFrameBodyMax) {
      broken_ = true;
      damage_("a batch of " + std::to_string(body.size()) + " bytes is too large to be sent");
      return false;
    }
    compress(header, body);
  }
  cost_ = element_cost(header.compressed ? header.raw_bytes : static_cast<uint32_t>(body.size()));
  encoded_ = make_frame(header, std::move(body));
  encoded_kind_ = element.kind;
  return true;
}

void RemoteOutput::compress(FrameHeader& header, std::string& body) const {
  if (body.size() < compression_.bytes_min) return;
  if (connection_->loopback() && !compression_.loopback) return;
  const int raw = static_cast<int>(body.size());
  std::string packed(static_cast<size_t>(LZ4_compressBound(raw)), '\0');
  const int bytes = LZ4_compress_default(body.data(), packed.data(), raw, static_cast<int>(packed.size()));
  if (bytes <= 0 || bytes >= raw) return;  // it does not shrink
  packed.resize(static_cast<size_t>(bytes));
  header.compressed = true;
  header.raw_bytes = static_cast<uint32_t>(raw);
  body = std::move(packed);
}

double RemoteOutput::usage() const {
  if (!open_.load(std::memory_order_acquire)) return 0;
  const double bytes = static_cast<double>(bytes_.load(std::memory_order_relaxed)) / static_cast<double>(window_.bytes);
  const double entries = static_cast<double>(entries_.load(std::memory_order_relaxed)) / window_.entries;
  return std::min(1.0, std::max(bytes, entries));
}

bool RemoteOutput::opened(FrameConnectionPtr connection, uint64_t number, ChannelWindow window) {
  if (open_.load(std::memory_order_relaxed)) return false;
  connection_ = std::move(connection);
  number_ = number;
  window_ = window;
  open_.store(true, std::memory_order_seq_cst);
  if (waits_.exchange(false)) producer_->notify();
  return true;
}

void RemoteOutput::credit(size_t bytes, uint32_t entries) {
  // A peer that tells back more than it got would make the counts wrap.
  bytes_.fetch_sub(std::min(bytes, bytes_.load(std::memory_order_relaxed)), std::memory_order_seq_cst);
  entries_.fetch_sub(std::min<size_t>(entries, entries_.load(std::memory_order_relaxed)), std::memory_order_seq_cst);
  if (waits_.load(std::memory_order_seq_cst) && waits_.exchange(false)) producer_->notify();
}

RemoteInput::RemoteInput(SchemaPtr schema, Waker* consumer, ChannelWindow window, ChannelDamage damage)
    : schema_(std::move(schema)),
      consumer_(consumer),
      window_(window),
      damage_(std::move(damage)),
      queue_(window.entries) {}

Element* RemoteInput::front() { return peek(0) == nullptr ? nullptr : &decoded_.front(); }

const Element* RemoteInput::peek(size_t index) {
  while (decoded_.size() <= index) {
    InFrame* frame = queue_.peek(decoded_.size());
    if (frame == nullptr || broken_) return nullptr;
    Result<Element> element = decode(*frame);
    if (!element) {
      broken_ = true;
      damage_(element.error().message);
      return nullptr;
    }
    frame->bytes.reset();
    decoded_.push_back(std::move(*element));
  }
  return &decoded_[index];
}

Result<Element> RemoteInput::decode(const InFrame& frame) const {
  const FrameHeader& header = frame.header;
  Element element;
  element.kind = header.element;
  element.final = header.final;
  element.value = header.value;
  element.bytes = element_cost(header.raw_bytes);
  if (header.element != ElementKind::kBatch) return element;
  if (!header.compressed) {
    MR_ASSIGN(element.batch, decode_batch(frame.body(), *schema_));
    return element;
  }
  const auto raw = std::make_unique_for_overwrite<char[]>(header.raw_bytes);
  const int bytes = LZ4_decompress_safe(frame.bytes.get(), raw.get(), static_cast<int>(header.body_bytes),
                                        static_cast<int>(header.raw_bytes));
  if (bytes < 0 || static_cast<uint32_t>(bytes) != header.raw_bytes) {
    return make_error(ErrorCode::kBadMessage, "a compressed batch is damaged");
  }
  MR_ASSIGN(element.batch, decode_batch({raw.get(), header.raw_bytes}, *schema_));
  return element;
}

Element RemoteInput::pop() {
  Element element = std::move(decoded_.front());
  decoded_.pop_front();
  queue_.pop();
  consumed(element.bytes);
  return element;
}

void RemoteInput::consumed(size_t cost) {
  bytes_.fetch_sub(cost, std::memory_order_relaxed);
  consumed_bytes_ += cost;
  ++consumed_entries_;
  if (consumed_bytes_ * 4 < window_.bytes && consumed_entries_ * 4 < window_.entries) return;
  connection_->send(encode_credit(number_, consumed_bytes_, consumed_entries_));
  consumed_bytes_ = 0;
  consumed_entries_ = 0;
}

double RemoteInput::usage() const {
  const double bytes = static_cast<double>(bytes_.load(std::memory_order_relaxed)) / static_cast<double>(window_.bytes);
  const double entries = static_cast<double>(queue_.size()) / window_.entries;
  return std::min(1.0, std::max(bytes, entries));
}

void RemoteInput::connected(FrameConnectionPtr connection, uint64_t number) {
  connection_ = std::move(connection);
  number_ = number;
}

bool RemoteInput::receive(InFrame frame) {
  if (frame.header.overtaking) {
    lane_.set({frame.header.value, received_});
    consumer_->notify();
    return true;
  }
  const size_t cost = element_cost(frame.header.raw_bytes);
  // The count is raised first: the consumer subtracts as soon as it sees the element.
  bytes_.fetch_add(cost, std::memory_order_relaxed);
  if (!queue_.push(frame)) return false;
  ++received_;
  consumer_->notify();
  return true;
}

}  // namespace millrace
