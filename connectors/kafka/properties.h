// The allow-list of `properties:`, librdkafka settings that a job file may pass through. Everything else is refused:
// settings that load code or run commands with a reason, settings that Millrace decides itself with the field to use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// Nothing when the setting is allowed; else why not, in words for the user.
std::optional<std::string> refuse_kafka_property(std::string_view name);

}  // namespace millrace
