// What lies in the rows of a step's state: a small grammar of names, types and forms that bind() describes beside the
// operator. It is written into every snapshot as the state's layout, so that a row can be shown, and converted field by
// field for a changed job, without the file of the job that wrote it. Plain data and pure functions; any thread.
// Invariant: the form of a part says all of its bytes; a change of a form breaks the states of that operator.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/types.h"

namespace millrace {

/// How rows of a state find their subtask after a rescale.
enum class StateKind : uint8_t {
  kKeyed,  // by key group
  kSplit,  // by the owner of the source split whose id is the row's key; every subtask sees all rows and takes its own
  kSubtask,  // by number: a row of key group i (= old subtask index) goes to subtask i mod parallelism (sink lanes)
};

/// Bytes of one part of a row. `string` is a varint length and the bytes; numbers are little endian.
enum class StateForm : uint8_t {
  kInt64,      // i64
  kTime,       // i64, milliseconds since the epoch
  kUint64,     // u64
  kUint32,     // u32
  kFlag,       // u8, 0 or 1
  kChoice,     // u32, a place in `names`
  kBytes,      // string
  kRest,       // all that is left
  kKey,        // all that is left, in the key format: `columns`
  kKeyAlone,   // as kKey, behind it perhaps one letter: a row that meets no other, with the side it came from
  kRow,        // string, one row in the form of data/row_codec.h: `columns`; an empty string: no row
  kAggregate,  // an accumulator as its function saves it
  kList,       // varint number, then so many times `parts`
  kOptional,   // u8; `parts` follow when it is 1
  kCells,      // varint number of `parts`, then these
};

/// A call whose accumulator is kept.
struct StateAggregate {
  std::string function;  // "SUM"
  bool distinct = false;
  std::vector<TypePtr> args;
  TypePtr result;
  std::string text;     // as it is written: "SUM(amount)"
  std::string output;   // the column of the results it belongs to
  uint32_t number = 0;  // among the calls of that column
  bool whole = true;    // the column is the call and nothing else
};

struct StateField {
  std::string name{};
  StateForm form = StateForm::kBytes;
  std::vector<Field> columns{};
  std::vector<StateField> parts{};
  std::vector<std::string> names{};
  std::shared_ptr<const StateAggregate> aggregate{};
};

struct StateSchema {
  std::string name{};  // inside its step: "window"
  StateKind kind = StateKind::kKeyed;
  std::string form{};                                        // what keeps it: "tumbling window", "dedup"
  std::vector<std::pair<std::string, std::string>> rules{};  // what its rows depend on besides: {"size", "1m"}
  std::vector<StateField> key{};
  std::vector<StateField> value{};
  std::string text{};  // instead of all this: the layout of rows that only their writer understands
};

/// The layout text of a snapshot: JSON, described in state/FORMAT.md.
std::string state_layout(const StateSchema& schema);
/// Nothing: not a layout of this form, or damaged.
std::optional<StateSchema> parse_state_layout(std::string_view layout, std::string_view name, StateKind kind);

// States that are no operator's own.

/// Of every source: its splits with their positions. A connector only understands its own positions.
StateSchema splits_schema(const std::string& connector);
/// The watermark that a step has handled, and how many rows it has seen.
StateSchema progress_schema(const std::string& name);
/// Rows that only their writer understands (what sinks keep).
StateSchema opaque_schema(std::string name, StateKind kind, std::string_view text);
/// Of sinks that publish epochs.
inline constexpr std::string_view kLaneLayout = "job: marker, entries (epoch, file, length, rows, target, parts) v1";

/// nullptr: none of that name.
const StateSchema* find_state(const std::vector<StateSchema>& states, std::string_view name);

}  // namespace millrace
