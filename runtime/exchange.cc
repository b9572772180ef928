#include "runtime/exchange.h"

#include <algorithm>

#include "core/crash_point.h"

namespace millrace {

std::vector<uint32_t> edge_targets(Partitioning partitioning, uint32_t producers, uint32_t subtask,
                                   uint32_t consumers) {
  std::vector<uint32_t> targets;
  switch (partitioning) {
    case Partitioning::kGlobal:
      return {0};
    case Partitioning::kForward:
      if (producers >= consumers) return {subtask % consumers};
      for (uint32_t t = subtask; t < consumers; t += producers) targets.push_back(t);
      return targets;
    case Partitioning::kHash:
    case Partitioning::kBroadcast:
    case Partitioning::kRebalance:
      break;
  }
  for (uint32_t t = 0; t < consumers; ++t) targets.push_back(t);
  return targets;
}

namespace {
auto find_barrier(auto& outbox, int64_t checkpoint) {
  return std::find_if(outbox.begin(), outbox.end(), [&](const Element& element) {
    return element.kind == ElementKind::kBarrier && element.value == checkpoint && !element.final;
  });
}
}  // namespace

EdgeOutput::EdgeOutput(EdgeConfig config, std::vector<ChannelOutput*> targets) : config_(std::move(config)) {
  targets_.resize(targets.size());
  for (size_t t = 0; t < targets.size(); ++t) targets_[t].channel = targets[t];
  if (config_.partitioning == Partitioning::kHash && targets.size() > 1) {
    for (Target& target : targets_) target.builder = std::make_unique<BatchBuilder>(config_.schema);
    for (uint32_t group = 0; group < config_.max_parallelism; ++group) {
      target_of_group_.push_back(
          owner_of_key_group(group, config_.max_parallelism, static_cast<uint32_t>(targets.size())));
    }
  }
}

void EdgeOutput::emit(const Batch& batch, int64_t now_ms) {
  if (batch.empty()) return;
  if (!target_of_group_.empty()) {
    scatter(batch, now_ms);
    return;
  }
  // A filter that left few rows must not pin the whole batch in a channel.
  const bool sparse = batch.selection != nullptr && batch.selection->size() * 8 < batch.rows;
  Batch dense = sparse ? compacted(batch) : batch;
  if (config_.partitioning == Partitioning::kBroadcast) {
    for (Target& target : targets_) send(target, dense);
    return;
  }
  send(targets_[next_target_], std::move(dense));
  if (++next_target_ == targets_.size()) next_target_ = 0;
}

Batch EdgeOutput::compacted(const Batch& batch) {
  if (!compactor_) compactor_ = std::make_unique<BatchBuilder>(config_.schema);
  compactor_->append(batch, batch.selection->data(), batch.selected());
  return compactor_->finish();
}

void EdgeOutput::scatter(const Batch& batch, int64_t now_ms) {
  encode_keys(batch, *config_.schema, config_.key_columns, keys_);
  const uint32_t selected = batch.selected();
  for (uint32_t i = 0; i < selected; ++i) {
    const uint32_t group = key_group_of(keys_.hashes[i], config_.max_parallelism);
    targets_[target_of_group_[group]].rows.push_back(batch.row_at(i));
  }
  for (Target& target : targets_) {
    if (target.rows.empty()) continue;
    target.builder->append(batch, target.rows.data(), static_cast<uint32_t>(target.rows.size()));
    target.rows.clear();
    if (target.builder->rows() >= config_.flush_rows || target.builder->bytes() >= config_.flush_bytes) {
      flush(target);
    } else if (oldest_ms_ == INT64_MAX) {
      oldest_ms_ = now_ms;
    }
  }
}

void EdgeOutput::send(Target& target, Batch batch) {
  Element element;
  element.batch = std::move(batch);
  target.outbox.push_back(std::move(element));
  drained_ = false;
}

void EdgeOutput::flush(Target& target) {
  if (target.builder == nullptr || target.builder->rows() == 0) return;
  send(target, target.builder->finish());
}

void EdgeOutput::flush_all() {
  for (Target& target : targets_) flush(target);
  oldest_ms_ = INT64_MAX;
}

void EdgeOutput::broadcast(ElementKind kind, int64_t value, bool final) {
  flush_all();
  for (Target& target : targets_) {
    Element element;
    element.kind = kind;
    element.value = value;
    element.final = final;
    target.outbox.push_back(std::move(element));
  }
  drained_ = false;
}

void EdgeOutput::flush_due(int64_t now_ms) {
  if (now_ms >= next_flush_ms()) flush_all();
}

bool EdgeOutput::drain() {
  if (drained_) return true;
  bool empty = true;
  for (Target& target : targets_) {
    while (!target.outbox.empty() && target.channel->offer(target.outbox.front())) {
      target.status.passed(target.outbox.front());
      target.outbox.pop_front();
      ++sent_;
    }
    empty = empty && target.outbox.empty();
  }
  drained_ = empty;
  return empty;
}

void EdgeOutput::overtake(int64_t checkpoint, std::vector<ChannelRows>& rows) {
  if (!may_be_overtaken(config_.partitioning)) return;
  for (uint32_t t = 0; t < targets_.size(); ++t) {
    Target& target = targets_[t];
    const auto barrier = find_barrier(target.outbox, checkpoint);
    if (barrier == target.outbox.end() || !target.channel->overtake(checkpoint)) continue;
    const uint32_t to = config_.consumers.empty() ? t : config_.consumers[t];
    ChannelRows passed{{config_.edge, config_.subtask, to}, true, target.status, {}};
    std::copy_if(target.outbox.begin(), barrier, std::back_inserter(passed.elements),
                 [](const Element& element) { return element.kind != ElementKind::kBarrier; });
    if (!passed.elements.empty() && !seeded_bug("outbox_not_recorded")) rows.push_back(std::move(passed));
    target.outbox.erase(barrier);
  }
}

bool EdgeOutput::holds_barrier(int64_t checkpoint) const {
  return !drained_ && std::any_of(targets_.begin(), targets_.end(), [&](const Target& target) {
    return find_barrier(target.outbox, checkpoint) != target.outbox.end();
  });
}

size_t EdgeOutput::outbox_bytes() const {
  size_t bytes = 0;
  for (const Target& target : targets_) {
    for (const Element& element : target.outbox) bytes += element.batch.bytes();
  }
  return bytes;
}

double EdgeOutput::usage() const {
  double usage = 0;
  for (const Target& target : targets_) usage = std::max(usage, target.channel->usage());
  return usage;
}

bool OutputRouter::emit(uint32_t node, uint32_t port, const Batch& batch, int64_t now_ms) {
  bool any = false;
  for (const auto& edge : edges_) {
    if (edge->config().node != node || edge->config().port != port) continue;
    edge->emit(batch, now_ms);
    any = true;
  }
  return any;
}

bool OutputRouter::has_edge(uint32_t node, uint32_t port) const {
  return std::any_of(edges_.begin(), edges_.end(),
                     [&](const auto& edge) { return edge->config().node == node && edge->config().port == port; });
}

void OutputRouter::broadcast(uint32_t node, ElementKind kind, int64_t value, bool final) {
  for (const auto& edge : edges_) {
    if (edge->config().node == node) edge->broadcast(kind, value, final);
  }
}

void OutputRouter::flush_due(int64_t now_ms) {
  for (const auto& edge : edges_) edge->flush_due(now_ms);
}

int64_t OutputRouter::next_flush_ms() const {
  int64_t next = INT64_MAX;
  for (const auto& edge : edges_) next = std::min(next, edge->next_flush_ms());
  return next;
}

bool OutputRouter::drain() {
  bool drained = true;
  for (const auto& edge : edges_) drained = edge->drain() && drained;
  return drained;
}

void OutputRouter::overtake(int64_t checkpoint, std::vector<ChannelRows>& rows) {
  for (const auto& edge : edges_) edge->overtake(checkpoint, rows);
}

bool OutputRouter::holds_barrier(int64_t checkpoint) const {
  return std::any_of(edges_.begin(), edges_.end(), [&](const auto& edge) { return edge->holds_barrier(checkpoint); });
}

size_t OutputRouter::outbox_bytes() const {
  size_t bytes = 0;
  for (const auto& edge : edges_) bytes += edge->outbox_bytes();
  return bytes;
}

uint64_t OutputRouter::sent() const {
  uint64_t sent = 0;
  for (const auto& edge : edges_) sent += edge->sent();
  return sent;
}

double OutputRouter::usage() const {
  double usage = 0;
  for (const auto& edge : edges_) usage = std::max(usage, edge->usage());
  return usage;
}

}  // namespace millrace
