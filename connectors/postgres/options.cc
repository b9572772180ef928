#include "connectors/postgres/options.h"

namespace millrace {
namespace {

bool upserts(const OptionValues& values, const SinkConfig& config) {
  const std::string mode = values.text("mode");
  return mode.empty() ? !config.key.empty() : mode == "upsert";
}

void check_postgres_sink(const OptionValues& values, SinkConfig& config, Diagnostics& diagnostics) {
  const Position at = values.located(values.get("mode").set ? "mode" : "table").position;
  if (upserts(values, config) && config.key.empty()) {
    diagnostics.error(ErrorCode::kBadPlan, at, "`mode: upsert` needs a `key`",
                      "write `key: [column]`: the columns of the table's primary key");
  }
  if (!upserts(values, config) && config.changelog != Changelog::kAppend) {
    diagnostics.error(ErrorCode::kBadPlan, at, "`mode: append` cannot take updates", "write `mode: upsert`");
  }
}

Status try_postgres(const OptionValues& values) {
  MR_ASSIGN(auto connection, PgConnection::open(read_pg_session(values), nullptr));
  MR_ASSIGN(const PgResult found, connection->query("SELECT to_regclass($1)", {pg_table_name(values.text("table"))}));
  if (found.rows[0][0]) return {};
  return make_error(ErrorCode::kExternalRefused,
                    "postgres " + connection->server() + ": there is no table " + values.text("table"));
}

}  // namespace

std::vector<OptionDescriptor> postgres_connection_options() {
  OptionDescriptor dsn;
  dsn.name = "dsn";
  dsn.required = true;
  dsn.secret = true;  // it may hold the password
  dsn.help = "where the server is: a URI or libpq's key=value words; best through `secrets:` when it has a password";
  dsn.example = "postgresql://millrace@localhost:5432/shop";
  OptionDescriptor password;
  password.name = "password";
  password.secret = true;
  password.help = "the password, when `dsn` has none; best through `secrets:`";
  return {std::move(dsn), std::move(password)};
}

ConnectorDescriptor postgres_sink_descriptor() {
  ConnectorDescriptor descriptor;
  descriptor.name = "postgres";
  descriptor.help = "rows into a table of PostgreSQL, appended or upserted by key";
  descriptor.options = postgres_connection_options();
  OptionDescriptor table;
  table.name = "table";
  table.required = true;
  table.help = "the table, which must exist; with a schema: `schema.table`";
  table.example = "channel_stats";
  OptionDescriptor mode;
  mode.name = "mode";
  mode.kind = OptionKind::kChoice;
  mode.choices = {"append", "upsert"};
  mode.help =
      "upsert writes a row anew under its `key` and deletes what the stream deletes; upsert when there is a `key`";
  descriptor.options.push_back(std::move(table));
  descriptor.options.push_back(std::move(mode));
  descriptor.uses_format = false;
  descriptor.deliveries = {Delivery::kAtLeastOnce, Delivery::kExactlyOnce, Delivery::kNone};
  descriptor.needs_key_for_updates = true;
  descriptor.check_sink = check_postgres_sink;
  descriptor.connect = try_postgres;
  return descriptor;
}

PgSessionOptions read_pg_session(const OptionValues& values) {
  PgSessionOptions options;
  options.dsn = values.text("dsn");
  options.password = values.text("password");
  options.name = "millrace";
  return options;
}

PgWrite read_pg_write(const SinkConfig& config) {
  PgWrite write;
  write.table = config.options.text("table");
  write.upsert = upserts(config.options, config);
  for (const Field& field : config.schema->fields) write.columns.push_back(field.name);
  if (write.upsert)
    for (const uint32_t column : config.key) write.key.push_back(config.schema->fields[column].name);
  return write;
}

}  // namespace millrace
