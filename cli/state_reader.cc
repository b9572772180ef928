#include "cli/state_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/hash.h"
#include "core/storage.h"
#include "runtime/state_rows/key_values.h"
#include "runtime/state_rows/state_text.h"

namespace millrace {

namespace {

using StateJson = nlohmann::ordered_json;

constexpr KeyGroupRange kEveryGroup{0, 0xffffffffu};
constexpr std::string_view kKindNames[] = {"keyed", "split", "subtask"};

bool fits(const StateDescriptor& state, const StateQuery& query) {
  return (query.step.empty() || state.step == query.step) && (query.name.empty() || state.name == query.name);
}

/// Every row of a state, whichever kind it is.
Status visit_all(const OpenedCheckpoint& checkpoint, const StateDescriptor& state, KeyGroupRange groups,
                 const RestoredState::RowVisitor& visitor) {
  return checkpoint.snapshots->visit(state, groups, 0, 1, visitor);
}

/// A visitor's way to say that it has seen enough.
std::unexpected<Error> enough() { return make_error(ErrorCode::kNotFound, "no more rows are wanted"); }

Result<uint64_t> count_keys(const OpenedCheckpoint& checkpoint, const StateDescriptor& state, size_t offset) {
  std::unordered_set<uint64_t> keys;
  MR_TRY(visit_all(checkpoint, state, kEveryGroup, [&](uint32_t, std::string_view key, std::string_view) -> Status {
    keys.insert(hash64(key.substr(std::min(offset, key.size()))));
    return {};
  }));
  return keys.size();
}

/// The retained checkpoint before this one, where it lies among others of its job.
std::optional<OpenedCheckpoint> previous_checkpoint(FileSystem& fs, const std::string& path, int64_t id) {
  const auto ids = completed_checkpoints(fs, parent_path(path));
  if (!ids) return std::nullopt;
  const auto at = std::ranges::lower_bound(*ids, id);
  if (at == ids->begin() || path != checkpoint_path(parent_path(path), id)) return std::nullopt;
  auto metadata = read_checkpoint(fs, checkpoint_path(parent_path(path), *std::prev(at)));
  if (!metadata) return std::nullopt;
  auto opened = open_checkpoint(fs, std::move(*metadata));
  return opened ? std::optional(std::move(*opened)) : std::nullopt;
}

/// Where the files of a checkpoint lie.
std::string path_of(const CheckpointMetadata& metadata, const std::string& asked) {
  for (const SnapshotHandle& handle : metadata.handles) {
    if (!handle.file.empty()) return parent_path(handle.file);
  }
  return asked;
}

StateJson layout_json(const StateDescriptor& state) {
  StateJson json = StateJson::parse(state.layout, nullptr, false);
  return json.is_discarded() ? StateJson(state.layout) : json;
}

Result<StateJson> list_states(const OpenedCheckpoint& checkpoint, const StateQuery& query, const std::string& path) {
  const auto before = previous_checkpoint(storage(), path, checkpoint.metadata.checkpoint_id);
  StateJson states = StateJson::array();
  for (const SnapshotStateInfo& info : checkpoint.snapshots->states()) {
    if (!fits(info.state, query)) continue;
    const auto schema = parse_state_layout(info.state.layout, info.state.name, info.state.kind);
    StateJson json{{"step", info.state.step},
                   {"state", info.state.name},
                   {"kind", kKindNames[static_cast<size_t>(info.state.kind)]},
                   {"form", schema ? schema->form : ""},
                   {"rows", info.rows},
                   {"bytes", info.bytes}};
    const KeyPlace place = schema ? find_key(*schema) : KeyPlace{};
    if (place.key != nullptr && place.offset == 0) {
      json["keys"] = info.rows;
    } else if (place.key != nullptr && query.count_keys) {
      MR_ASSIGN(json["keys"], count_keys(checkpoint, info.state, place.offset));
    } else {
      json["keys"] = nullptr;
    }
    if (before) {
      int64_t rows = 0;
      int64_t bytes = 0;
      for (const SnapshotStateInfo& old : before->snapshots->states()) {
        if (old.state.step != info.state.step || old.state.name != info.state.name) continue;
        rows = static_cast<int64_t>(old.rows);
        bytes = static_cast<int64_t>(old.bytes);
      }
      json["growth"] = {{"since_checkpoint", before->metadata.checkpoint_id},
                        {"ms", checkpoint.metadata.completed_ms - before->metadata.completed_ms},
                        {"rows", static_cast<int64_t>(info.rows) - rows},
                        {"bytes", static_cast<int64_t>(info.bytes) - bytes}};
    }
    json["layout"] = layout_json(info.state);
    states.push_back(std::move(json));
  }
  return states;
}

/// kNotFound that says what there is.
Status check_exists(const OpenedCheckpoint& checkpoint, const StateQuery& query) {
  std::string names;
  for (const SnapshotStateInfo& info : checkpoint.snapshots->states()) {
    if (fits(info.state, query)) return {};
    names += (names.empty() ? "" : ", ") + info.state.step + "/" + info.state.name;
  }
  return make_error(ErrorCode::kNotFound,
                    fmt::format("checkpoint {} has no state `{}` of step `{}`", checkpoint.metadata.checkpoint_id,
                                query.name, query.step),
                    names.empty() ? "it holds no state" : "it has " + names);
}

struct WantedKey {
  EncodedKey key;
  size_t offset = 0;
  KeyGroupRange groups = kEveryGroup;
  [[nodiscard]] bool matches(std::string_view row_key) const {
    return row_key.size() == offset + key.bytes.size() && row_key.substr(offset) == key.bytes;
  }
};

Result<WantedKey> find_wanted_key(const OpenedCheckpoint& checkpoint, const StateDescriptor& state,
                                  std::map<std::string, std::string> values, const FunctionRegistry& functions) {
  const auto schema = parse_state_layout(state.layout, state.name, state.kind);
  const KeyPlace place = schema ? find_key(*schema) : KeyPlace{};
  if (place.key == nullptr) {
    return make_error(ErrorCode::kBadValue, "the rows of state `" + state.name + "` are not found by key columns",
                      "read them with `state scan`");
  }
  if (const auto bare = values.extract(""); !bare.empty()) {
    if (place.key->columns.size() != 1) {
      return make_error(ErrorCode::kBadValue, fmt::format("the key has {} columns", place.key->columns.size()),
                        "give each by its name, as in --key user_id=u1");
    }
    values[place.key->columns[0].name] = bare.mapped();
  }
  WantedKey wanted;
  MR_ASSIGN(wanted.key, encode_key_values(*schema, values, functions));
  wanted.offset = place.offset;
  if (state.kind == StateKind::kKeyed) {
    const uint32_t group = key_group_of(wanted.key.hash, checkpoint.metadata.max_parallelism);
    wanted.groups = {group, group + 1};
  }
  return wanted;
}

}  // namespace

Status scan_state(const OpenedCheckpoint& checkpoint, const StateQuery& query, const FunctionRegistry& functions,
                  const StateRowShow& show) {
  MR_TRY(check_exists(checkpoint, query));
  bool wanted = true;
  for (const SnapshotStateInfo& info : checkpoint.snapshots->states()) {
    if (!fits(info.state, query) || !wanted) continue;
    std::optional<WantedKey> key;
    if (query.key) {
      MR_ASSIGN(key, find_wanted_key(checkpoint, info.state, *query.key, functions));
    }
    const auto text = StateText::make(info.state.layout, info.state.name, info.state.kind, functions);
    const auto visitor = [&](uint32_t, std::string_view row_key, std::string_view value) -> Status {
      if (key && !key->matches(row_key)) return {};
      MR_ASSIGN(const std::string row, text->row(row_key, value));
      wanted = show(info.state, row);
      return wanted ? Status{} : enough();
    };
    const Status read = visit_all(checkpoint, info.state, key ? key->groups : kEveryGroup, visitor);
    if (!read && wanted) return read;
  }
  return {};
}

Result<std::string> read_state(const StateQuery& query, const FunctionRegistry& functions) {
  FileSystem& fs = storage();
  MR_ASSIGN(CheckpointMetadata metadata, find_checkpoint(fs, query.path));
  MR_ASSIGN(const OpenedCheckpoint checkpoint, open_checkpoint(fs, std::move(metadata)));
  const std::string path = path_of(checkpoint.metadata, query.path);
  StateJson body{{"job", checkpoint.metadata.job_name},
                 {"checkpoint", checkpoint.metadata.checkpoint_id},
                 {"path", path},
                 {"completed_at", checkpoint.metadata.completed_ms}};
  if (query.step.empty() && query.name.empty()) {
    MR_ASSIGN(body["states"], list_states(checkpoint, query, path));
  } else {
    StateJson rows = StateJson::array();
    bool more = false;
    MR_TRY(scan_state(checkpoint, query, functions, [&](const StateDescriptor&, const std::string& row) {
      more = rows.size() >= query.limit;
      if (!more) rows.push_back(StateJson::parse(row, nullptr, false));
      return !more;
    }));
    body["step"] = query.step;
    body["state"] = query.name;
    body["rows"] = std::move(rows);
    body["more"] = more;
  }
  return body.dump(-1, ' ', false, StateJson::error_handler_t::replace);
}

namespace {

/// The rows of one state in two checkpoints: first by the hashes of their values, then the texts of those that are
/// shown.
class StateDiffer {
 public:
  StateDiffer(const OpenedCheckpoint& before, const OpenedCheckpoint& after, StateDescriptor state, uint64_t limit)
      : before_(before), after_(after), state_(std::move(state)), limit_(limit) {}

  Result<StateDifference> run(const std::optional<StateDescriptor>& old_state,
                              const std::optional<StateDescriptor>& new_state, const FunctionRegistry& functions,
                              const std::function<void(const std::string&)>& show) {
    if (old_state)
      MR_TRY(visit_all(before_, *old_state, kEveryGroup, [&](uint32_t, auto key, auto value) -> Status {
        rows_[std::string(key)] = {hash64(value), true, false};
        return {};
      }));
    if (new_state)
      MR_TRY(visit_all(after_, *new_state, kEveryGroup, [&](uint32_t, auto key, auto value) -> Status {
        Row& row = rows_[std::string(key)];
        row.after = true;
        row.changed = row.before && row.hash != hash64(value);
        return {};
      }));
    count();
    if (old_state) MR_TRY(read_texts(before_, *old_state, functions, 0));
    if (new_state) MR_TRY(read_texts(after_, *new_state, functions, 1));
    for (const auto& [key, texts] : shown_) show(line(rows_[key], texts));
    return difference_;
  }
  [[nodiscard]] uint64_t shown() const { return shown_.size(); }

 private:
  struct Row {
    uint64_t hash = 0;
    bool before = false;
    bool after = false;
    bool changed = false;
  };
  using Texts = std::pair<std::string, std::string>;

  void count() {
    difference_.step = state_.step;
    difference_.name = state_.name;
    for (const auto& [key, row] : rows_) {
      if (row.before && row.after && !row.changed) continue;
      ++(row.changed ? difference_.changed : row.before ? difference_.removed : difference_.added);
      if (shown_.size() < limit_) shown_.emplace(key, Texts{});
    }
  }

  Status read_texts(const OpenedCheckpoint& from, const StateDescriptor& state, const FunctionRegistry& functions,
                    int side) {
    const auto text = StateText::make(state.layout, state.name, state.kind, functions);
    return visit_all(from, state, kEveryGroup, [&](uint32_t, std::string_view key, std::string_view value) -> Status {
      const auto found = shown_.find(std::string(key));
      if (found == shown_.end()) return {};
      MR_ASSIGN((side == 0 ? found->second.first : found->second.second), text->row(key, value));
      return {};
    });
  }

  std::string line(const Row& row, const Texts& texts) const {
    StateJson json{{"change", row.changed  ? "changed"
                              : row.before ? "removed"
                                           : "added"},
                   {"step", state_.step},
                   {"state", state_.name}};
    if (!texts.first.empty()) json["before"] = StateJson::parse(texts.first, nullptr, false);
    if (!texts.second.empty()) json["after"] = StateJson::parse(texts.second, nullptr, false);
    return json.dump(-1, ' ', false, StateJson::error_handler_t::replace);
  }

  const OpenedCheckpoint& before_;
  const OpenedCheckpoint& after_;
  StateDescriptor state_;
  uint64_t limit_;
  std::map<std::string, Row> rows_;
  std::map<std::string, Texts> shown_;
  StateDifference difference_;
};

}  // namespace

Result<std::vector<StateDifference>> diff_state(const OpenedCheckpoint& before, const OpenedCheckpoint& after,
                                                const StateQuery& query, const FunctionRegistry& functions,
                                                const std::function<void(const std::string& line)>& show) {
  std::map<std::pair<std::string, std::string>,
           std::pair<std::optional<StateDescriptor>, std::optional<StateDescriptor>>>
      states;
  for (const SnapshotStateInfo& info : before.snapshots->states()) {
    if (fits(info.state, query)) states[{info.state.step, info.state.name}].first = info.state;
  }
  for (const SnapshotStateInfo& info : after.snapshots->states()) {
    if (fits(info.state, query)) states[{info.state.step, info.state.name}].second = info.state;
  }
  std::vector<StateDifference> differences;
  uint64_t left = query.limit;
  for (const auto& [name, both] : states) {
    StateDiffer differ(before, after, both.first ? *both.first : *both.second, left);
    MR_ASSIGN(StateDifference difference, differ.run(both.first, both.second, functions, show));
    left -= differ.shown();
    differences.push_back(std::move(difference));
  }
  return differences;
}

}  // namespace millrace
