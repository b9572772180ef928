#include "connectors/postgres/register.h"

#include "connectors/postgres/exactly_once.h"
#include "connectors/postgres/lookup.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/sink_writer.h"
#include "runtime/spi/factories.h"

namespace millrace {

void register_postgres(Registry& registry) {
  registry.plan.sinks["postgres"] = postgres_sink_descriptor();
  registry.factories.sinks["postgres"] = [](const SinkConfig& config, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<PgSinkWriter>(config);
  };
  registry.factories.exactly_once["postgres"] =
      [](const SinkConfig& config, const Registry&) -> Result<ExactlyOnceTargetPtr> { return make_pg_target(config); };
  registry.factories.lookups["postgres"] = postgres_lookup_descriptor();
}

}  // namespace millrace
