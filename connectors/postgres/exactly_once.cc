#include "connectors/postgres/exactly_once.h"

#include <fmt/format.h>

#include <bit>
#include <optional>

#include "connectors/json/refused_rows.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/row_text.h"
#include "connectors/postgres/table_writer.h"
#include "core/crash_point.h"
#include "core/hash.h"
#include "core/log.h"
#include "data/number_text.h"

namespace millrace {
namespace {

constexpr int64_t kLockTimeoutMs = 5'000;
constexpr int64_t kIdleInTransactionMs = 10'000;
constexpr size_t kPieceRows = 10'000;
constexpr int64_t kNoGeneration = -1;  // the row of a lane that has no marker yet, inside our transaction only

constexpr const char* kCreateProgress =
    "CREATE TABLE IF NOT EXISTS millrace_progress (lane text PRIMARY KEY, generation bigint NOT NULL, "
    "incarnation bigint NOT NULL, epoch bigint NOT NULL, part int NOT NULL, parts int NOT NULL, rows bigint NOT NULL, "
    "crc bigint NOT NULL, committed_at timestamptz NOT NULL DEFAULT now())";

/// Sessions of one lane are known by their name, which is short.
std::string session_name(const LaneId& lane) { return fmt::format("millrace lane {:016x}", hash64(lane.text())); }

int64_t number_of(const std::optional<std::string>& text) { return text ? parse_int64(*text).value_or(0) : 0; }

/// The table of entries, which may be another one than the job file names now; read once per session.
class PgLaneSession final : public LaneSession {
 public:
  PgLaneSession(std::unique_ptr<PgConnection> connection, const LaneId& lane)
      : connection_(std::move(connection)), lane_(lane.text()), name_(session_name(lane)) {}

  Result<std::optional<CommitMarker>> last_committed() override {
    MR_TRY(create_progress());
    for (const bool last_try : {false, true}) {
      auto found = lock_marker();
      if (found || last_try || found.error().code != ErrorCode::kExternalFailed) return found;
      // Whoever holds the row has not let it go for 5 s: an owner that froze. Its transaction is undone.
      log_warn("postgres: ending the session that holds a lane", {{"lane", lane_}, {"reason", found.error().message}});
      (void)connection_->run("ROLLBACK");
      MR_TRY(
          connection_->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE application_name = $1 AND pid <> pg_backend_pid()",
                             {name_}));
    }
    return make_error(ErrorCode::kInternal, "unreachable");
  }

  Status commit(const CommitMarker& marker, const std::string& target, PartRows* rows) override {
    if (rows != nullptr) MR_TRY(write_rows(target, *rows));
    crash_point("commit.produced");
    MR_TRY(write_marker(marker));
    crash_point("commit.flushed");
    Status done = connection_->run("COMMIT");
    crash_point("commit.sent");
    if (done || done.error().code != ErrorCode::kOutputRefused || rows == nullptr) return done;
    // A deferred constraint: run it again, checked row by row, to tell which row; nothing of that is kept.
    MR_TRY(connection_->run("BEGIN; SET CONSTRAINTS ALL IMMEDIATE"));
    Status named = write_rows(target, *rows);
    (void)connection_->run("ROLLBACK");
    return named ? done : named;
  }

 private:
  Status create_progress() {
    MR_ASSIGN(const PgResult found, connection_->query("SELECT to_regclass('millrace_progress')"));
    if (found.rows[0][0]) return {};
    Status made = connection_->run(kCreateProgress);
    // Two lanes at once: the other one made it. IF NOT EXISTS does not help there; which unique index of the catalogue
    // says so, and with which SQLSTATE (23505, 42710, 42P07), depends on the moment. Anything else fails again.
    return made ? made : connection_->run(kCreateProgress);
  }

  Result<std::optional<CommitMarker>> lock_marker() {
    MR_TRY(connection_->run("BEGIN; SET LOCAL synchronous_commit = on"));
    MR_TRY(connection_->query(
        "INSERT INTO millrace_progress (lane, generation, incarnation, epoch, part, parts, rows, crc) "
        "VALUES ($1, -1, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
        {lane_}));
    MR_ASSIGN(const PgResult found, connection_->query("SELECT generation, incarnation, epoch, part, parts, rows, crc "
                                                       "FROM millrace_progress WHERE lane = $1 FOR UPDATE",
                                                       {lane_}));
    if (found.rows.empty())
      return make_error(ErrorCode::kExternalFailed, "postgres: the marker of lane " + lane_ + " was removed just now");
    const auto& row = found.rows[0];
    CommitMarker marker;
    marker.generation = number_of(row[0]);
    if (marker.generation == kNoGeneration) return std::optional<CommitMarker>();
    marker.incarnation = std::bit_cast<uint64_t>(number_of(row[1]));
    marker.epoch = number_of(row[2]);
    marker.part = static_cast<uint32_t>(number_of(row[3]));
    marker.parts = static_cast<uint32_t>(number_of(row[4]));
    marker.rows = static_cast<uint64_t>(number_of(row[5]));
    marker.crc = static_cast<uint32_t>(number_of(row[6]));
    return std::optional<CommitMarker>(marker);
  }

  Status write_rows(const std::string& target, PartRows& rows) {
    MR_ASSIGN(const PgWrite write, PgWrite::from_text(target));
    MR_ASSIGN(PgTable table, resolve_pg_table(*connection_, write));
    const PgTableWriter writer(std::move(table));
    rows.rewind();
    uint64_t before = 0;
    bool more = true;
    while (more) {
      std::string bytes;
      std::vector<size_t> ends;
      std::string_view row;
      while (ends.size() < kPieceRows) {
        MR_ASSIGN(more, rows.next(row));
        if (!more) break;
        bytes.append(row);
        ends.push_back(bytes.size());
      }
      if (ends.empty()) break;
      std::vector<std::string_view> views;
      for (size_t i = 0, start = 0; i < ends.size(); start = ends[i++])
        views.push_back(std::string_view(bytes).substr(start, ends[i] - start));
      MR_TRY(writer.write(*connection_, views, [&](size_t index, const Error& error) -> Status {
        return make_error(ErrorCode::kOutputRefused,
                          fmt::format("row {} of table {}: {}", before + index, write.table, error.message),
                          "make the table take it (or change the row there), then start the job again");
      }));
      before += ends.size();
    }
    return {};
  }

  Status write_marker(const CommitMarker& marker) {
    MR_ASSIGN(const PgResult written,
              connection_->query(
                  "UPDATE millrace_progress SET generation = $2, incarnation = $3, epoch = $4, part = $5, "
                  "parts = $6, rows = $7, crc = $8, committed_at = now() "
                  "WHERE lane = $1 AND generation <= $2",
                  {lane_, std::to_string(marker.generation), std::to_string(std::bit_cast<int64_t>(marker.incarnation)),
                   std::to_string(marker.epoch), std::to_string(marker.part), std::to_string(marker.parts),
                   std::to_string(marker.rows), std::to_string(marker.crc)}));
    if (written.affected == 1) return {};
    return make_error(ErrorCode::kSuperseded, "postgres: a newer attempt owns lane " + lane_);
  }

  std::unique_ptr<PgConnection> connection_;
  const std::string lane_;
  const std::string name_;
};

class PgTarget final : public ExactlyOnceTarget {
 public:
  explicit PgTarget(SinkConfig config) : config_(std::move(config)), write_(read_pg_write(config_)) {}

  Status open(const TargetContext& context) override {
    context_ = context;
    if (context.metrics != nullptr) {
      dead_letter_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_dead_letter_records_total",
                                                    "Rows sent to the dead letters", context.labels);
    }
    MR_ASSIGN(auto connection, PgConnection::open(session("millrace catalogue"), context.stopping));
    MR_ASSIGN(PgTable table, resolve_pg_table(*connection, write_));
    MR_TRY(check_pg_types(*config_.schema, table));
    encoder_.emplace(config_.schema, std::move(table));
    return {};
  }

  [[nodiscard]] std::string target() const override { return write_.to_text(); }

  Status prepare(const Batch& batch, PreparedRows& rows, Output& dead_letters) override {
    RefusedRows refused(context_.sink, context_.clock->wall_ms());
    size_t count = 0;
    Status status;
    std::string bytes;
    for_each_row(batch, [&](uint32_t row) {
      if (!status || PgRowEncoder::skips(batch.kind(row))) return;
      bytes.clear();
      std::optional<std::string> reason = encoder_->append(batch, row, bytes);
      if (!reason) {
        status = rows.add(bytes);
      } else if (config_.on_error == OnError::kDeadLetter) {
        refused.add(batch, *config_.schema, row, std::move(*reason));
        ++count;
      } else {
        status = make_error(ErrorCode::kOutputRefused, "sink " + context_.sink + ": " + *reason,
                            "`on_error: dead_letter` routes such rows");
      }
    });
    MR_TRY(status);
    if (count == 0) return {};
    if (dead_letter_metric_) dead_letter_metric_->add(static_cast<double>(count));
    dead_letters.emit(0, refused.finish());
    return {};
  }

  [[nodiscard]] std::string row_text(std::string_view row) const override {
    PgRow read;
    if (!encoder_ || !read_pg_row(row, encoder_->columns(), read)) return "(unreadable)";
    std::string text = read.removes ? "delete" : "write";
    for (const auto& value : read.values) text += "\t" + (value ? std::string(*value) : "NULL");
    return text;
  }

  Result<uint32_t> known_lanes() override {
    MR_ASSIGN(auto connection, PgConnection::open(session("millrace lanes"), context_.stopping));
    MR_ASSIGN(const PgResult there, connection->query("SELECT to_regclass('millrace_progress') IS NOT NULL"));
    if (there.rows.empty() || there.rows[0][0] != "t") return 0;
    const std::string prefix = context_.job_id + "-" + context_.sink + "-";
    MR_ASSIGN(const PgResult found,
              connection->query("SELECT max(substr(lane, length($1) + 1)::int) + 1 FROM millrace_progress "
                                "WHERE starts_with(lane, $1) AND substr(lane, length($1) + 1) ~ '^[0-9]{1,6}$'",
                                {prefix}));
    return found.rows.empty() ? 0 : static_cast<uint32_t>(number_of(found.rows[0][0]));
  }

  Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) override {
    MR_ASSIGN(auto connection, PgConnection::open(session(session_name(lane)), context_.stopping));
    return std::make_unique<PgLaneSession>(std::move(connection), lane);
  }

 private:
  [[nodiscard]] PgSessionOptions session(std::string name) const {
    PgSessionOptions options = read_pg_session(config_.options);
    options.name = std::move(name);
    options.lock_timeout_ms = kLockTimeoutMs;
    options.idle_in_transaction_ms = kIdleInTransactionMs;
    return options;
  }

  const SinkConfig config_;
  const PgWrite write_;
  TargetContext context_;
  std::optional<PgRowEncoder> encoder_;
  MetricPtr dead_letter_metric_;
};

}  // namespace

ExactlyOnceTargetPtr make_pg_target(SinkConfig config) { return std::make_unique<PgTarget>(std::move(config)); }

}  // namespace millrace
