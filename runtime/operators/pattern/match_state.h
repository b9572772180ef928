// What `pattern` keeps of one key: rows that wait for the watermark, rows of open matches, open matches, and matches
// that are complete but wait for an earlier one to be decided.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "data/batch.h"

namespace millrace {

struct PatternRow {
  int64_t time = 0;
  std::string bytes;                     // data/row_codec.h
  std::shared_ptr<const Batch> decoded;  // made when it is read; not stored
};

struct PartialMatch {
  struct Step {
    uint32_t at = 0;  // in PatternConfig::program
    uint64_t row = 0;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> steps;  // never empty
  uint32_t count = 0;       // rows that the last step has taken in a row
  [[nodiscard]] uint64_t start() const { return steps.front().row; }
};

struct PatternState {
  uint64_t next_row = 0;
  std::map<int64_t, std::vector<std::string>> waiting;  // by time, in order of arrival
  std::map<uint64_t, PatternRow> rows;                  // by number, in the order in which they were handled
  std::vector<PartialMatch> open;                       // by start
  std::vector<PartialMatch> complete;                   // by start
};

struct PatternCodec {
  static void save_matches(const std::vector<PartialMatch>& matches, ByteWriter& out) {
    out.put_varint(matches.size());
    for (const PartialMatch& match : matches) {
      out.put(match.count);
      out.put_varint(match.steps.size());
      for (const PartialMatch::Step& step : match.steps) {
        out.put(step.at);
        out.put(step.row);
      }
    }
  }
  static bool load_matches(ByteReader& in, std::vector<PartialMatch>& matches) {
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      PartialMatch& match = matches.emplace_back();
      match.count = in.get<uint32_t>();
      for (uint64_t steps = in.get_varint(); steps > 0 && in.ok(); --steps) {
        const auto at = in.get<uint32_t>();
        match.steps.push_back({at, in.get<uint64_t>()});
      }
      if (match.steps.empty()) return false;
    }
    return in.ok();
  }
  static void save(const PatternState& state, ByteWriter& out) {
    out.put(state.next_row);
    out.put_varint(state.waiting.size());
    for (const auto& [time, rows] : state.waiting) {
      out.put(time);
      out.put_varint(rows.size());
      for (const std::string& row : rows) out.put_string(row);
    }
    out.put_varint(state.rows.size());
    for (const auto& [number, row] : state.rows) {
      out.put(number);
      out.put(row.time);
      out.put_string(row.bytes);
    }
    save_matches(state.open, out);
    save_matches(state.complete, out);
  }
  static bool load(ByteReader& in, PatternState& state) {
    state.next_row = in.get<uint64_t>();
    for (uint64_t times = in.get_varint(); times > 0 && in.ok(); --times) {
      auto& rows = state.waiting[in.get<int64_t>()];
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) rows.emplace_back(in.get_string());
    }
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      PatternRow& row = state.rows[in.get<uint64_t>()];
      row.time = in.get<int64_t>();
      row.bytes = in.get_string();
    }
    return load_matches(in, state.open) && load_matches(in, state.complete);
  }
};

}  // namespace millrace
