// What `process` keeps of one key: states as encoded cells (data/row_codec.h), timers by time and name.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"

namespace millrace {

struct StateCell {
  bool set = false;
  int64_t written_ms = 0;                      // in the time of its ttl
  std::string value;                           // plain states
  std::map<std::string, std::string> entries;  // maps
};

struct ProcessKey {
  std::vector<StateCell> cells;
  std::set<std::pair<int64_t, uint32_t>> timers[2];  // event time, processing time: time and name
  [[nodiscard]] bool empty() const {
    for (const StateCell& cell : cells) {
      if (cell.set) return false;
    }
    return timers[0].empty() && timers[1].empty();
  }
};

struct ProcessCodec {
  static void save(const ProcessKey& key, ByteWriter& out) {
    out.put_varint(key.cells.size());
    for (const StateCell& cell : key.cells) {
      out.put(static_cast<uint8_t>(cell.set));
      if (!cell.set) continue;
      out.put(cell.written_ms);
      out.put_string(cell.value);
      out.put_varint(cell.entries.size());
      for (const auto& [name, value] : cell.entries) {
        out.put_string(name);
        out.put_string(value);
      }
    }
    for (const auto& timers : key.timers) {
      out.put_varint(timers.size());
      for (const auto& [time, name] : timers) {
        out.put(time);
        out.put(name);
      }
    }
  }
  static bool load(ByteReader& in, ProcessKey& key) {
    const uint64_t cells = in.get_varint();
    for (uint64_t i = 0; i < cells && in.ok(); ++i) {
      StateCell& cell = key.cells.emplace_back();
      cell.set = in.get<uint8_t>() != 0;
      if (!cell.set) continue;
      cell.written_ms = in.get<int64_t>();
      cell.value = in.get_string();
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        std::string name(in.get_string());
        cell.entries[std::move(name)] = in.get_string();
      }
    }
    for (auto& timers : key.timers) {
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        const auto time = in.get<int64_t>();
        timers.emplace(time, in.get<uint32_t>());
      }
    }
    return in.ok();
  }
};

}  // namespace millrace
