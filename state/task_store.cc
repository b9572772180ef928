#include "state/task_store.h"

#include <algorithm>
#include <functional>

#include "core/bytes.h"
#include "core/file_system.h"
#include "core/hash.h"
#include "core/process_memory.h"
#include "state/restored_stores.h"

namespace millrace {

namespace {
// Below it every call looks, above it the cost of looking would show.
constexpr int64_t kSmallBudgetBytes = 16 << 20;
constexpr std::string_view kMetaMagic = "MRSPILL1";
}  // namespace

std::string spill_prefix(const StateDescriptor& state) {
  const auto hash = static_cast<uint32_t>(hash64(state.step + '\0' + state.name));
  std::string prefix(reinterpret_cast<const char*>(&hash), sizeof hash);
  if (prefix == "\xff\xff\xff\xff") prefix[0] = 0;
  return prefix;
}

std::string behind_prefix(std::string prefix) {
  while (static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  ++prefix.back();
  return prefix;
}

std::string encode_spill_meta(const SpillMeta& meta) {
  ByteWriter out;
  out.put_raw(kMetaMagic);
  out.put(meta.key_groups.first);
  out.put(meta.key_groups.last);
  out.put_varint(meta.states.size());
  for (const SpilledState& held : meta.states) {
    out.put_string(held.state.step);
    out.put_string(held.state.name);
    out.put_string(held.state.layout);
    out.put(held.key.lead_bytes);
    out.put(held.key.run_bytes);
    out.put_varint(held.rows);
    out.put_varint(held.bytes);
  }
  out.put(crc32c(out.view()));
  return out.take();
}

Result<SpillMeta> decode_spill_meta(const RestoredStore& store) {
  const auto damaged = [] { return make_error(ErrorCode::kCorruptState, "the list of a store's states is damaged"); };
  const auto file = std::ranges::find(store.files, kSpillMetaFile, &RestoredFile::name);
  if (file == store.files.end()) return damaged();
  std::string content = file->content;
  if (content.empty()) {
    MR_ASSIGN(content, local_file_system().read_all(file->path));
  }
  if (content.size() < kMetaMagic.size() + 4 || !content.starts_with(kMetaMagic)) return damaged();
  const std::string_view body = std::string_view(content).substr(0, content.size() - 4);
  ByteReader tail(std::string_view(content).substr(body.size()));
  if (tail.get<uint32_t>() != crc32c(body)) return damaged();
  ByteReader in(body.substr(kMetaMagic.size()));
  SpillMeta meta;
  meta.key_groups.first = in.get<uint32_t>();
  meta.key_groups.last = in.get<uint32_t>();
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    SpilledState& held = meta.states.emplace_back();
    held.state.step = in.get_string();
    held.state.name = in.get_string();
    held.state.layout = in.get_string();
    held.key.lead_bytes = in.get<uint32_t>();
    held.key.run_bytes = in.get<uint32_t>();
    held.rows = in.get_varint();
    held.bytes = in.get_varint();
  }
  if (!in.done()) return damaged();
  return meta;
}

/// Ends a task's snapshot: every other part has written its rows into the store by now.
class TaskStore::Part final : public SnapshotPart {
 public:
  Part(std::shared_ptr<SpillStore> store, const std::string& directory, SpillMeta meta,
       std::shared_ptr<std::atomic<int>> writing_back, Waker* waker)
      : store_(std::move(store)),
        meta_path_(join_path(directory, std::string(kSpillMetaFile))),
        meta_(std::move(meta)),
        writing_back_(std::move(writing_back)),
        waker_(waker) {}
  ~Part() override { end_write_back(); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  Status write(SnapshotWriter& writer) override {
    MR_ASSIGN(const std::unique_ptr<SpillCheckpoint> checkpoint, store_->checkpoint());
    end_write_back();
    give_back_freed_memory();  // copies of pages that were written meanwhile, as large as the tables at worst
    MR_TRY(measure());
    MR_ASSIGN(const std::unique_ptr<WritableFile> file, local_file_system().create(meta_path_));
    MR_TRY(file->append(encode_spill_meta(meta_)));
    MR_TRY(file->close());
    MR_TRY(writer.add_file(SnapshotFileKind::kOwn, std::string(kSpillMetaFile), meta_path_));
    for (const SpillCheckpoint::File& held : checkpoint->files()) {
      MR_TRY(writer.add_file(held.kind, held.name, held.path));
    }
    return {};
  }

 private:
  /// The store knows bytes by range, and rows only of all states together.
  Status measure() {
    uint64_t total = 0;
    for (SpilledState& held : meta_.states) {
      const std::string prefix = spill_prefix(held.state);
      held.bytes = store_->bytes(prefix, behind_prefix(prefix));
      const auto rows = store_->scan(prefix, behind_prefix(prefix));
      MR_TRY(rows->status());
      held.rows = rows->valid() ? 1 : 0;
      total += held.bytes;
    }
    const auto rows = static_cast<double>(store_->rows());
    for (SpilledState& held : meta_.states) {
      if (held.rows == 0 || total == 0) continue;
      const double share = static_cast<double>(held.bytes) / static_cast<double>(total);
      held.rows = std::max<uint64_t>(1, static_cast<uint64_t>(rows * share));
    }
    return {};
  }

  void end_write_back() {
    if (!writing_back_) return;
    writing_back_->fetch_sub(1, std::memory_order_release);
    writing_back_.reset();
    if (waker_ != nullptr) waker_->notify();
  }

  std::shared_ptr<SpillStore> store_;
  std::string meta_path_;
  SpillMeta meta_;
  std::shared_ptr<std::atomic<int>> writing_back_;
  Waker* waker_;
};

TaskStore::TaskStore(Config config) : config_(std::move(config)) {}

TaskStore::~TaskStore() { count(0); }

Result<std::unique_ptr<TaskStore>> TaskStore::make(Config config) {
  std::unique_ptr<TaskStore> made(new TaskStore(std::move(config)));
  MR_TRY(made->find_candidates());
  return made;
}

/// Stores of tasks with these key groups. Which of them was this task's shows when a state is registered; what comes
/// from other ranges is read row by row.
Status TaskStore::find_candidates() {
  if (config_.restored == nullptr) return {};
  for (RestoredStore& files : config_.restored->stores()) {
    if (!has_spill_meta(files)) continue;
    MR_ASSIGN(SpillMeta meta, decode_spill_meta(files));
    if (meta.key_groups.first != config_.key_groups.first || meta.key_groups.last != config_.key_groups.last) continue;
    candidates_.push_back({std::move(files), std::move(meta)});
  }
  return {};
}

Result<TaskStore::Registered> TaskStore::add(const StateDescriptor& state, SpilledStateKey key, SpillableState& owner) {
  Registered result{spill_prefix(state), false};
  for (const Owner& other : owners_) {
    MR_CHECK(other.prefix != result.prefix, "two states share a prefix in the spill store");
  }
  const auto holds = [&](const SpilledState& held) {
    return held.state == state && held.key.lead_bytes == key.lead_bytes && held.key.run_bytes == key.run_bytes;
  };
  if (store_ == nullptr) {
    for (const Candidate& candidate : candidates_) {
      if (std::ranges::none_of(candidate.meta.states, holds)) continue;
      MR_TRY(go_on_from(candidate));
      break;
    }
  }
  result.holds = std::ranges::any_of(held_, holds);
  // Rows of another layout come converted, one by one; what the store has of them must not be found.
  if (!result.holds && !held_.empty()) MR_TRY(drop_all(result.prefix));
  owners_.push_back({{state, key}, result.prefix, &owner});
  return result;
}

Status TaskStore::go_on_from(const Candidate& candidate) {
  MR_TRY(open_store(&candidate.files));
  held_ = candidate.meta.states;
  for (const Owner& owner : owners_) MR_TRY(drop_all(owner.prefix));  // they came before: it does not hold them
  for (const std::string& prefix : scratch_) MR_TRY(drop_all(prefix));
  return {};
}

Status TaskStore::drop_all(const std::string& prefix) { return store_->drop(prefix, behind_prefix(prefix)); }

Result<std::string> TaskStore::add_scratch(const StateDescriptor& state, std::string_view name) {
  StateDescriptor own = state;
  own.name.append(1, '\0').append(name);
  scratch_.push_back(spill_prefix(own));
  if (!held_.empty()) MR_TRY(drop_all(scratch_.back()));
  return scratch_.back();
}

Status TaskStore::registered() {
  for (const SpilledState& held : held_) {
    const std::string prefix = spill_prefix(held.state);
    if (std::ranges::any_of(owners_, [&](const Owner& owner) { return owner.prefix == prefix; })) continue;
    MR_TRY(drop_all(prefix));
  }
  held_.clear();
  candidates_.clear();
  if (config_.backend == StateBackend::kRocksdb && !owners_.empty()) MR_TRY(open());
  return {};
}

void TaskStore::remove(SpillableState& owner) {
  std::erase_if(owners_, [&](const Owner& one) { return one.owner == &owner; });
}

Status TaskStore::open_store(const RestoredStore* files) {
  if (config_.root) {
    MR_ASSIGN(const std::string root, std::exchange(config_.root, nullptr)());
    config_.directory = join_path(root, config_.directory);
  }
  SpillStoreOptions options;
  options.directory = config_.directory;
  options.instance = config_.instance;
  options.memory = config_.memory;
  options.from = config_.restored;
  options.files = files;
  MR_ASSIGN(store_, open_spill_store(options));
  return {};
}

Result<SpillStore*> TaskStore::open() {
  if (!store_) MR_TRY(open_store(nullptr));
  return store_.get();
}

int64_t TaskStore::count_owners() {
  int64_t bytes = 0;
  for (const Owner& owner : owners_) bytes += static_cast<int64_t>(owner.owner->memory_bytes());
  count(bytes);
  return bytes;
}

void TaskStore::count(int64_t bytes) {
  config_.budget->used_bytes.fetch_add(bytes - counted_bytes_, std::memory_order_relaxed);
  counted_bytes_ = bytes;
}

/// What is over the limit and an eighth of it, so that not every batch spills; of it this task's share.
Status TaskStore::balance() {
  const int64_t limit = config_.budget->limit_bytes;
  // While a snapshot is written, copies of pages may come with every batch.
  const bool often = limit <= kSmallBudgetBytes || writing_back();
  if (owners_.empty() || (!often && ++calls_ % 8 != 0)) return {};
  int64_t mine = count_owners();
  const int64_t used = config_.budget->used_bytes.load(std::memory_order_relaxed);
  if (used <= limit || config_.backend == StateBackend::kMemory || writing_back()) return {};
  const double share = static_cast<double>(mine) / static_cast<double>(std::max<int64_t>(used, 1));
  auto wanted = static_cast<int64_t>(static_cast<double>(used - limit + limit / 8) * share);
  std::vector<Owner*> by_size;
  for (Owner& owner : owners_) by_size.push_back(&owner);
  std::ranges::sort(by_size, std::greater<>(), [](const Owner* owner) { return owner->owner->memory_bytes(); });
  for (Owner* owner : by_size) {
    if (wanted <= 0) break;
    MR_ASSIGN(const size_t freed, owner->owner->spill(static_cast<size_t>(wanted)));
    wanted -= static_cast<int64_t>(freed);
    mine -= static_cast<int64_t>(freed);
  }
  count(std::max<int64_t>(mine, 0));
  return {};
}

Status TaskStore::balance(SpillableState& owner) {
  const int64_t limit = config_.budget->limit_bytes;
  (void)count_owners();
  const int64_t over = config_.budget->used_bytes.load(std::memory_order_relaxed) - limit;
  if (over <= 0 || config_.backend == StateBackend::kMemory || writing_back()) return {};
  const auto mine = static_cast<int64_t>(owner.memory_bytes());
  MR_TRY(owner.spill(static_cast<size_t>(std::min(over + limit / 8, mine))));
  (void)count_owners();
  return {};
}

bool TaskStore::must_wait() const {
  if (!writing_back() || config_.budget->limit_bytes == INT64_MAX) return false;
  const int64_t limit = config_.budget->limit_bytes;
  const int64_t more = std::max(limit / 8, kSmallBudgetBytes / 2);
  return config_.budget->used_bytes.load(std::memory_order_relaxed) > limit + more;
}

size_t TaskStore::buffer_bytes() const {
  constexpr int64_t kLeast = 64 << 10;
  constexpr int64_t kMost = 64 << 20;
  return static_cast<size_t>(std::clamp(config_.budget->limit_bytes / 16, kLeast, kMost));
}

Result<SnapshotPartPtr> TaskStore::snapshot() {
  if (!store_) return SnapshotPartPtr{};
  SpillMeta meta{config_.key_groups, {}};
  for (const Owner& owner : owners_) meta.states.push_back(owner.state);
  writing_back_->fetch_add(1, std::memory_order_acq_rel);
  return std::make_unique<Part>(store_, config_.directory, std::move(meta), writing_back_, config_.waker);
}

}  // namespace millrace
