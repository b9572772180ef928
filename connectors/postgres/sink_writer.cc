#include "connectors/postgres/sink_writer.h"

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

std::unique_ptr<FlushTarget> PgSinkWriter::make_target() {
  return std::make_unique<PgFlushTarget>(config_, catalogue_);
}

bool PgSinkWriter::ready(bool connected) {
  if (connected) encoder_.emplace(config_.schema, *catalogue_->table);
  return connected;
}

}  // namespace millrace
