#include "connectors/blackhole/register.h"

#include "runtime/spi/factories.h"

namespace millrace {
namespace {

class BlackholeWriter final : public SinkWriter {
 public:
  Status open(SinkContext&) override { return {}; }
  Result<Flow> write(const Batch&, Output&) override { return Flow::kNeedInput; }
};

}  // namespace

void register_blackhole(Registry& registry) {
  ConnectorDescriptor sink;
  sink.name = "blackhole";
  sink.help = "drops every row; for measuring";
  sink.uses_format = false;
  sink.deliveries = {Delivery::kAtLeastOnce, Delivery::kExactlyOnce, Delivery::kNone};
  sink.accepts_updates = true;
  sink.check_sink = [](const OptionValues&, SinkConfig& config, Diagnostics&) { config.cuts_back = true; };
  registry.plan.sinks["blackhole"] = std::move(sink);
  registry.factories.sinks["blackhole"] = [](const SinkConfig&, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<BlackholeWriter>();
  };
}

}  // namespace millrace
