#include "connectors/kafka/register.h"

#include <algorithm>

#include "connectors/kafka/connect.h"
#include "connectors/kafka/exactly_once_target.h"
#include "connectors/kafka/options.h"
#include "connectors/kafka/sink_writer.h"
#include "connectors/kafka/source_reader.h"
#include "runtime/spi/factories.h"

namespace millrace {

void register_kafka(Registry& registry) {
  registry.plan.sources["kafka"] = kafka_source_descriptor();
  registry.plan.sinks["kafka"] = kafka_sink_descriptor();
  registry.plan.sources["kafka"].connect = try_kafka_source;
  registry.plan.sinks["kafka"].connect = try_kafka_sink;

  registry.factories.sources["kafka"] = [](const SourceConfig& config, const Registry&) -> Result<SourceReaderPtr> {
    const bool headers = std::ranges::any_of(
        config.columns, [](const SourceColumn& column) { return column.used && column.metadata == "headers"; });
    return std::make_unique<KafkaSourceReader>(
        config, [headers](const KafkaSettings& settings, Waker* waker, KafkaTroubleCallback trouble) {
          return make_rd_consumer(settings, headers, waker, std::move(trouble));
        });
  };
  registry.factories.sinks["kafka"] = [](const SinkConfig& config, const Registry& all) -> Result<SinkWriterPtr> {
    const auto format = all.factories.encoders.find(config.format.name);
    if (format == all.factories.encoders.end())
      return make_error(ErrorCode::kUnknownConnector, "no format `" + config.format.name + "` can write");
    // Updates are told by key and tombstone, so values never carry `op`.
    MR_ASSIGN(EncoderPtr encoder, format->second(config.format, config.schema, Changelog::kAppend));
    return std::make_unique<KafkaSinkWriter>(
        config, std::move(encoder), [](const KafkaSinkOptions& options, Waker* waker, KafkaTroubleCallback trouble) {
          return make_rd_producer(options.settings, options.topic, options.partitioner, waker, std::move(trouble));
        });
  };
  registry.factories.exactly_once["kafka"] = [](const SinkConfig& config,
                                                const Registry& all) -> Result<ExactlyOnceTargetPtr> {
    const auto format = all.factories.encoders.find(config.format.name);
    if (format == all.factories.encoders.end())
      return make_error(ErrorCode::kUnknownConnector, "no format `" + config.format.name + "` can write");
    MR_ASSIGN(EncoderPtr encoder, format->second(config.format, config.schema, Changelog::kAppend));
    return std::make_unique<KafkaExactlyOnceTarget>(config, std::move(encoder));
  };
}

}  // namespace millrace
