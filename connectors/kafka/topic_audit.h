// `millrace audit` for a topic: reads it once, read_committed, and counts the records of published parts. With
// `headers: {epoch: true}` every record is told from every other; without, equal rows of different epochs count alike.
#pragma once

#include <string>
#include <vector>

#include "connectors/kafka/options.h"
#include "runtime/spi/exactly_once.h"

namespace millrace {

/// A sentence for each part that is not in the topic as it was written.
Result<std::vector<std::string>> audit_kafka_topics(const KafkaSinkOptions& options, std::vector<PublishedPart> parts);

}  // namespace millrace
