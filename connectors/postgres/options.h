// The fields of a postgres sink, checked and read.
#pragma once

#include "connectors/postgres/connection.h"
#include "connectors/postgres/table.h"
#include "plan/registry.h"

namespace millrace {

ConnectorDescriptor postgres_sink_descriptor();
/// The fields that say where the server is; look-ups have them too.
std::vector<OptionDescriptor> postgres_connection_options();
PgSessionOptions read_pg_session(const OptionValues& values);
PgWrite read_pg_write(const SinkConfig& config);

}  // namespace millrace
