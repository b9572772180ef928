#include "state/restored_stores.h"

#include <unistd.h>

#include <algorithm>

#include "core/environment.h"
#include "core/file_system.h"
#include "core/random.h"

namespace millrace {

namespace {

constexpr size_t kStateIdBytes = 4;
constexpr size_t kGroupBytes = 2;
constexpr uint64_t kReadCacheBytes = 32 << 20;

/// Puts links to files of the local disk in place of copies.
class LinkedFiles final : public RestoredState {
 public:
  explicit LinkedFiles(const RestoredState& files) : files_(files) {}
  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override {
    return files_.visit(expected, groups, subtask, parallelism, visitor);
  }
  Status fetch(const RestoredFile& file, const std::string& to) const override {
    if (!file.path.starts_with('/') || !local_file_system().exists(file.path)) return files_.fetch(file, to);
    return ::symlink(file.path.c_str(), to.c_str()) == 0 ? Status{} : files_.fetch(file, to);
  }

 private:
  const RestoredState& files_;
};

}  // namespace

bool has_spill_meta(const RestoredStore& store) {
  return std::ranges::any_of(store.files, [](const RestoredFile& file) { return file.name == kSpillMetaFile; });
}

RestoredStores::~RestoredStores() {
  stores_.clear();
  if (!directory_.empty()) (void)local_file_system().remove_all(directory_);
}

Status RestoredStores::open() const {
  const std::lock_guard guard(mutex_);
  if (opened_) return {};
  const std::vector<RestoredStore> found = files_.stores();
  if (!found.empty()) {
    const std::string name =
        "millrace-" + std::to_string(::getpid()) + "-" + std::to_string(system_random().below(1'000'000'007));
    directory_ = join_path(environment_variable("TMPDIR").value_or("/tmp"), name);
  }
  const LinkedFiles linked(files_);
  const std::shared_ptr<SpillMemory> memory = make_spill_memory(kReadCacheBytes);
  for (const RestoredStore& files : found) {
    if (!has_spill_meta(files)) continue;  // files of something else
    Opened one;
    MR_ASSIGN(one.meta, decode_spill_meta(files));
    SpillStoreOptions options;
    options.directory = join_path(directory_, std::to_string(stores_.size()));
    options.memory = memory;
    options.from = &linked;
    options.files = &files;
    options.read_only = true;
    MR_ASSIGN(one.store, open_spill_store(options));
    stores_.push_back(std::move(one));
  }
  opened_ = true;
  return {};
}

Status RestoredStores::visit_state(const Opened& opened, const SpilledState& held, KeyGroupRange groups,
                                   const RestoredState::RowVisitor& visitor) {
  const std::string prefix = spill_prefix(held.state);
  const size_t head = kStateIdBytes + held.key.lead_bytes + held.key.run_bytes;
  const auto at = opened.store->scan(prefix, behind_prefix(prefix));
  std::string key;
  for (; at->valid(); at->next()) {
    const std::string_view stored = at->key();
    if (stored.size() < head + kGroupBytes) {
      return make_error(ErrorCode::kCorruptState, "a key of state `" + held.state.name + "` is truncated");
    }
    const uint32_t group =
        static_cast<uint32_t>(static_cast<uint8_t>(stored[head])) << 8 | static_cast<uint8_t>(stored[head + 1]);
    if (!groups.contains(group)) continue;
    key.assign(stored.substr(kStateIdBytes, held.key.lead_bytes)).append(stored.substr(head + kGroupBytes));
    MR_TRY(visitor(group, key, at->value()));
  }
  return at->status();
}

Status RestoredStores::visit(const StateDescriptor& expected, KeyGroupRange groups,
                             const RestoredState::RowVisitor& visitor) const {
  if (expected.kind != StateKind::kKeyed) return {};
  MR_TRY(open());
  for (const Opened& opened : stores_) {
    const KeyGroupRange& theirs = opened.meta.key_groups;
    if (theirs.last <= groups.first || groups.last <= theirs.first) continue;
    for (const SpilledState& held : opened.meta.states) {
      if (held.state.step != expected.step || held.state.name != expected.name) continue;
      if (held.state.layout != expected.layout) {
        return make_error(ErrorCode::kIncompatibleState, "state `" + expected.name + "` has another layout: " +
                                                             held.state.layout + " and " + expected.layout);
      }
      MR_TRY(visit_state(opened, held, groups, visitor));
    }
  }
  return {};
}

/// From what the stores' meta files say: nothing is opened.
Result<std::vector<SnapshotStateInfo>> RestoredStores::states() const {
  std::vector<SnapshotStateInfo> result;
  for (const RestoredStore& files : files_.stores()) {
    if (!has_spill_meta(files)) continue;
    MR_ASSIGN(const SpillMeta meta, decode_spill_meta(files));
    for (const SpilledState& held : meta.states) result.push_back({held.state, held.rows, held.bytes});
  }
  return result;
}

}  // namespace millrace
