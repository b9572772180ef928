// The one wire form of a batch, used between processes, for records in flight inside snapshots and by `tap`. Version 1,
// little endian:
//   "MRB1" · u32 CRC-32C of all that follows · u8 flags (1: row kinds) · varint rows · varint columns · event times
//   (8 bytes a row) · kinds (a byte a row) · the columns.
//   Column: u8 0 = not used, else 1 + physical type, 0x80 when a mask of NULLs (a bit a row) follows · then the values:
//   fixed width as in memory · strings: u32 sizes, then the bytes · lists: u32 lengths, then the child column ·
//   structs: the child columns.
// A selection is resolved while writing. Pure functions; any thread. Reading trusts nothing: damage is an error.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"
#include "data/batch.h"

namespace millrace {

std::string encode_batch(const Batch& batch, const Schema& schema);

/// kBadMessage when the bytes are damaged, of another version or not of this schema.
Result<Batch> decode_batch(std::string_view bytes, const Schema& schema);

}  // namespace millrace
