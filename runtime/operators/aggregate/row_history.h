// The rows behind each key of a running aggregate whose input takes rows back and whose aggregates cannot: MIN, MAX,
// DISTINCT, LAST_VALUE … are then computed anew from what is left. In order of arrival; task's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/operators/keyed_store.h"

namespace millrace {

struct KeyHistory {
  std::vector<std::string> rows;  // data/row_codec.h
};

struct KeyHistoryCodec {
  static void save(const KeyHistory& history, ByteWriter& out) {
    out.put_varint(history.rows.size());
    for (const std::string& row : history.rows) out.put_string(row);
  }
  static bool load(ByteReader& in, KeyHistory& history) {
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) history.rows.emplace_back(in.get_string());
    return in.ok();
  }
};

using RowHistory = KeyedStore<KeyHistory, KeyHistoryCodec>;

}  // namespace millrace
