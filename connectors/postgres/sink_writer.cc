#include "connectors/postgres/sink_writer.h"

#include <algorithm>

#include "connectors/json/refused_rows.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/table_writer.h"

namespace millrace {
namespace {

class PgFlushTarget final : public FlushTarget {
 public:
  PgFlushTarget(const SinkConfig& config, std::shared_ptr<PgCatalogue> catalogue)
      : session_(read_pg_session(config.options)),
        write_(read_pg_write(config)),
        schema_(config.schema),
        catalogue_(std::move(catalogue)) {}

  Status connect(const std::atomic<bool>& stopping) override {
    connection_.reset();
    MR_ASSIGN(connection_, PgConnection::open(session_, &stopping));
    // Read again after a lost connection: the table may have been changed meanwhile.
    MR_ASSIGN(PgTable table, resolve_pg_table(*connection_, write_));
    MR_TRY(check_pg_types(*schema_, table));
    if (!catalogue_->table) catalogue_->table = table;
    writer_.emplace(std::move(table));
    return {};
  }
  Status write(std::span<const std::string_view> rows, const RefusedRow& refused) override {
    return writer_->write_transaction(*connection_, rows, refused);
  }
  [[nodiscard]] std::string name() const override { return "postgres table " + write_.table; }

 private:
  const PgSessionOptions session_;
  const PgWrite write_;
  const SchemaPtr schema_;
  const std::shared_ptr<PgCatalogue> catalogue_;
  std::unique_ptr<PgConnection> connection_;
  std::optional<PgTableWriter> writer_;
};

}  // namespace

PgSinkWriter::~PgSinkWriter() {
  if (flusher_) flusher_->stop();
}

Status PgSinkWriter::open(SinkContext& context) {
  sink_ = context.sink;
  clock_ = context.clock;
  if (context.metrics != nullptr) {
    Labels labels = context.labels;
    dead_letter_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_dead_letter_records_total",
                                                  "Rows sent to the dead letters", labels);
    labels.emplace_back("reason", "postgres_unreachable");
    trouble_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_errors_total",
                                              "Errors of a step by reason", labels);
  }
  flusher_ = std::make_shared<RowFlusher>(std::make_unique<PgFlushTarget>(config_, catalogue_),
                                          config_.on_error == OnError::kDeadLetter, context.waker);
  flusher_->start();
  return {};
}

Result<Flow> PgSinkWriter::write(const Batch& batch, Output& dead_letters) {
  if (trouble_metric_) trouble_metric_->set(static_cast<double>(flusher_->troubles()));
  if (std::optional<Error> error = flusher_->failure())
    return std::unexpected(std::move(*error).with_context("sink " + sink_));
  if (!encoder_) {
    if (!flusher_->ready()) return Flow::kBlocked;
    encoder_.emplace(config_.schema, *catalogue_->table);
  }
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

Status PgSinkWriter::encode(const Batch& batch, FlushRows& rows) {
  sent_.clear();
  refused_.clear();
  Status status;
  for_each_row(batch, [&](uint32_t row) {
    if (!status || PgRowEncoder::skips(batch.kind(row))) return;
    std::optional<std::string> refused = encoder_->append(batch, row, rows.bytes);
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

void PgSinkWriter::emit_refused(const Batch& batch, Output& dead_letters) {
  std::ranges::sort(refused_, {}, &Refused::row);
  RefusedRows rows(sink_, clock_->wall_ms());
  for (const Refused& one : refused_) rows.add(batch, *config_.schema, one.row, one.error);
  if (dead_letter_metric_) dead_letter_metric_->add(static_cast<double>(refused_.size()));
  refused_.clear();
  dead_letters.emit(0, rows.finish());
}

Result<std::vector<SnapshotPartPtr>> PgSinkWriter::snapshot() {
  if (std::optional<Error> error = flusher_->failure())
    return std::unexpected(std::move(*error).with_context("sink " + sink_));
  std::vector<SnapshotPartPtr> parts;
  if (config_.delivery == Delivery::kNone) return parts;
  parts.push_back(make_flushed_part(flusher_, flusher_->last_ticket()));
  return parts;
}

Status PgSinkWriter::close() { return flusher_->wait(flusher_->last_ticket()); }

}  // namespace millrace
