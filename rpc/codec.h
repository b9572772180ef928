// The one wire form of control messages: a CBOR map {"type": "DeployJob", …fields by name…}. A field unknown to the
// reader is ignored and a missing one keeps its default, so that versions one apart understand each other.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"
#include "rpc/messages.h"

namespace millrace {

std::string encode_message(const ToTaskManager& message);
std::string encode_message(const ToJobManager& message);

std::string encode_frame(const FromTaskManager& message);
std::string encode_frame(const FromJobManager& message);

/// kBadMessage when the bytes are damaged or of an unknown type.
Result<ToTaskManager> decode_to_task_manager(std::string_view bytes);
Result<ToJobManager> decode_to_job_manager(std::string_view bytes);
Result<FromTaskManager> decode_from_task_manager(std::string_view bytes);
Result<FromJobManager> decode_from_job_manager(std::string_view bytes);

}  // namespace millrace
