#include "connectors/flusher/flusher_sink.h"

#include <algorithm>

#include "connectors/json/refused_rows.h"

namespace millrace {

FlusherSink::~FlusherSink() {
  if (flusher_) flusher_->stop();
}

Status FlusherSink::open(SinkContext& context) {
  sink_ = context.sink;
  clock_ = context.clock;
  if (context.metrics != nullptr) {
    Labels labels = context.labels;
    dead_letter_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_dead_letter_records_total",
                                                  "Rows sent to the dead letters", labels);
    labels.emplace_back("reason", system_ + "_unreachable");
    trouble_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_errors_total",
                                              "Errors of a step by reason", labels);
  }
  flusher_ = std::make_shared<RowFlusher>(make_target(), config_.on_error == OnError::kDeadLetter, context.waker);
  flusher_->start();
  return {};
}

Status FlusherSink::failed() const {
  std::optional<Error> error = flusher_->failure();
  if (!error) return {};
  return std::unexpected(std::move(*error).with_context("sink " + sink_));
}

Result<Flow> FlusherSink::write(const Batch& batch, Output& dead_letters) {
  if (trouble_metric_) trouble_metric_->set(static_cast<double>(flusher_->troubles()));
  MR_TRY(failed());
  if (!ready_) ready_ = ready(flusher_->ready());
  if (!ready_) return Flow::kBlocked;
  if (on_its_way_ == 0) {
    if (!flusher_->has_room()) return Flow::kBlocked;
    FlushRows rows;
    MR_TRY(encode(batch, rows));
    if (!rows.ends.empty()) {
      const uint64_t ticket = flusher_->submit(std::move(rows));
      if (config_.on_error == OnError::kDeadLetter) on_its_way_ = ticket;
    }
  }
  if (on_its_way_ != 0) {
    if (!flusher_->done(on_its_way_)) return Flow::kBlocked;
    for (FlushRefusedRow& one : flusher_->take_refused()) refused_.push_back({sent_[one.row], std::move(one.error)});
    on_its_way_ = 0;
  }
  if (!refused_.empty()) emit_refused(batch, dead_letters);
  return Flow::kNeedInput;
}

Status FlusherSink::encode(const Batch& batch, FlushRows& rows) {
  sent_.clear();
  refused_.clear();
  Status status;
  for_each_row(batch, [&](uint32_t row) {
    if (!status || batch.kind(row) == RowKind::kUpdateBefore) return;
    std::optional<std::string> refused = append(batch, row, rows.bytes);
    if (!refused) {
      rows.ends.push_back(rows.bytes.size());
      sent_.push_back(row);
    } else if (config_.on_error == OnError::kDeadLetter) {
      refused_.push_back({row, std::move(*refused)});
    } else {
      status = make_error(ErrorCode::kOutputRefused, "sink " + sink_ + ": " + *refused,
                          "`on_error: dead_letter` routes such rows");
    }
  });
  return status;
}

void FlusherSink::emit_refused(const Batch& batch, Output& dead_letters) {
  std::ranges::sort(refused_, {}, &Refused::row);
  RefusedRows rows(sink_, clock_->wall_ms());
  for (const Refused& one : refused_) rows.add(batch, *config_.schema, one.row, one.error);
  if (dead_letter_metric_) dead_letter_metric_->add(static_cast<double>(refused_.size()));
  refused_.clear();
  dead_letters.emit(0, rows.finish());
}

Result<std::vector<SnapshotPartPtr>> FlusherSink::snapshot() {
  MR_TRY(failed());
  std::vector<SnapshotPartPtr> parts;
  if (config_.delivery == Delivery::kNone) return parts;
  parts.push_back(make_flushed_part(flusher_, flusher_->last_ticket()));
  return parts;
}

Status FlusherSink::close() { return flusher_->wait(flusher_->last_ticket()); }

}  // namespace millrace
