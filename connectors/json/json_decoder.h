// The `json` format's decoder: one JSON object per record into the wanted columns ("JSON in" of the job file).
#pragma once

#include <vector>

#include "core/status.h"
#include "runtime/spi/format.h"

namespace millrace {

Result<DecoderPtr> make_json_decoder(const std::vector<DecodeColumn>& columns);

}  // namespace millrace
