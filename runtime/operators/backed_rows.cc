#include "runtime/operators/backed_rows.h"

#include "runtime/operators/key_timers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "state/row_order.h"
#include "state/spill_buffer.h"

namespace millrace {

namespace {
constexpr size_t kLookRows = 512;
constexpr size_t kErasedBytes = 96;
}  // namespace

BackedRows::BackedRows(KeyedRows& rows, TaskStore& store, uint32_t max_parallelism, KeyedRows::Codec codec)
    : rows_(rows), store_(store), max_parallelism_(max_parallelism), codec_(std::move(codec)) {}

BackedRows::~BackedRows() { store_.remove(*this); }

Result<bool> BackedRows::open(const StateDescriptor& descriptor) {
  MR_ASSIGN(TaskStore::Registered registered,
            store_.add(descriptor, {static_cast<uint32_t>(rows_.prefix_bytes_), 0}, *this));
  prefix_ = std::move(registered.prefix);
  spilled_ = registered.holds;
  return registered.holds;
}

uint32_t BackedRows::group_of(uint64_t hash, std::string_view key) const {
  return key_group_of(rows_.prefix_bytes_ == 0 ? hash : hash64(key.substr(rows_.prefix_bytes_)), max_parallelism_);
}

std::string BackedRows::store_key(uint64_t hash, std::string_view key) const {
  std::array<char, 2> group;
  put_key_group(group_of(hash, key), group.data());
  std::string result;
  result.reserve(prefix_.size() + group.size() + key.size());
  result.append(prefix_).append(key.substr(0, rows_.prefix_bytes_)).append(group.data(), group.size());
  return result.append(key.substr(rows_.prefix_bytes_));
}

void BackedRows::add_row(SpillBuffer& buffer, std::string_view prefix, size_t lead, uint32_t group,
                         std::string_view key, std::string_view value) {
  std::array<char, 2> bytes;
  put_key_group(group, bytes.data());
  buffer.add({prefix, key.substr(0, lead), {bytes.data(), bytes.size()}, key.substr(lead)}, value);
}

// ---- from the store ----

Status BackedRows::load(const EncodedKeys& keys, std::span<const uint32_t> which, char** values, uint8_t* inserted) {
  std::vector<size_t> missing;
  std::vector<std::string> wanted;
  const size_t count = which.empty() ? keys.keys.size() : which.size();
  for (size_t at = 0; at < count; ++at) {
    const size_t i = which.empty() ? at : which[at];
    if (inserted[i] == 0) continue;
    if (!erased_.empty() && came_back(keys.keys[i], values[i])) continue;
    missing.push_back(i);
    wanted.push_back(store_key(keys.hashes[i], keys.keys[i]));
  }
  if (missing.empty()) return {};
  const std::vector<std::string_view> views(wanted.begin(), wanted.end());
  MR_TRY(store_.opened()->load(views, found_values_, found_));
  for (size_t m = 0; m < missing.size(); ++m) {
    if (found_[m] == 0) continue;
    const size_t i = missing[m];
    MR_TRY(fill(values[i], found_values_[m]));
    inserted[i] = 0;
  }
  return {};
}

bool BackedRows::came_back(std::string_view key, char* row) {
  const auto erased = erased_.find(key);
  if (erased == erased_.end()) return false;
  erased_.erase(erased);
  KeyedTable::set_loaded(row);
  return true;
}

Status BackedRows::fetch(std::span<const std::string_view> keys) {
  std::vector<std::string_view> absent;
  std::vector<std::string> wanted;
  for (const std::string_view key : keys) {
    const uint64_t hash = hash64(key);
    if (rows_.table().find(hash, key) != nullptr || erased_.contains(key)) continue;
    absent.push_back(key);
    wanted.push_back(store_key(hash, key));
  }
  if (absent.empty()) return {};
  const std::vector<std::string_view> views(wanted.begin(), wanted.end());
  MR_TRY(store_.opened()->load(views, found_values_, found_));
  for (size_t i = 0; i < absent.size(); ++i) {
    if (found_[i] == 0) continue;
    bool inserted = false;
    char* row = rows_.table().insert(hash64(absent[i]), absent[i], &inserted);
    if (inserted) MR_TRY(fill(row, found_values_[i]));  // a key may stand there twice
  }
  return {};
}

/// A row that was just inserted, from the store.
Status BackedRows::fill(char* row, std::string_view value) {
  ByteReader in(value);
  MR_TRY(codec_.load(row, in));
  if (!in.done()) return make_error(ErrorCode::kCorruptState, "a row of the state store cannot be read");
  KeyedTable::set_loaded(row);
  return {};
}

Status BackedRows::visit(const std::function<Status(std::string_view, ByteReader&)>& visit) const {
  const auto at = store_.opened()->scan(prefix_, behind_prefix(prefix_));
  std::string key;
  uint64_t visited = 0;
  for (; at->valid(); at->next()) {
    const std::string_view stored = at->key().substr(prefix_.size());
    if (stored.size() < rows_.prefix_bytes_ + 2) {
      return make_error(ErrorCode::kCorruptState, "a key of the state store is truncated");
    }
    key.assign(stored.substr(0, rows_.prefix_bytes_)).append(stored.substr(rows_.prefix_bytes_ + 2));
    ByteReader value(at->value());
    MR_TRY(visit(key, value));
    if (++visited % 1024 == 0) MR_TRY(rows_.balance());
  }
  return at->status();
}

Status BackedRows::load_one(uint64_t hash, std::string_view key, char* row, bool& inserted) {
  EncodedKeys one;
  one.keys.push_back(key);
  one.hashes.push_back(hash);
  uint8_t absent = 1;
  MR_TRY(load(one, {}, &row, &absent));
  inserted = absent != 0;
  return {};
}

void BackedRows::forget(const char* row) {
  if (!spilled_ || !rows_.table().may_be_stored(row)) return;
  erased_.insert_or_assign(std::string(KeyedTable::key_of(row)), rows_.table().epoch());
}

// ---- into the store ----

/// All that has changed, as one run: the fewer and longer runs are, the less is there to look through and to compact.
Status BackedRows::write_back() {
  std::vector<std::string> erased;
  erased.reserve(erased_.size());
  for (const auto& [key, epoch] : erased_) erased.push_back(store_key(hash64(key), key));
  std::ranges::sort(erased);
  MR_ASSIGN(SpillStore * store, store_.open());
  MR_ASSIGN(const std::unique_ptr<SpillRun> run, store->begin_run());
  KeyedTable& table = rows_.table();
  const auto keep = [written = shared_->written.load(std::memory_order_acquire)](const char* row) {
    return KeyedTable::changed_since(row, written);
  };
  ByteWriter bytes;
  std::string key;
  auto gone = erased.begin();
  for (RowOrder rows(table, static_cast<uint32_t>(rows_.prefix_bytes_), max_parallelism_, keep); rows.valid();
       rows.next()) {
    bytes.clear();
    codec_.save(rows.row(), bytes);
    rows.store_key(prefix_, key);
    for (; gone != erased.end() && *gone < key; ++gone) MR_TRY(run->erase(*gone));
    MR_TRY(run->add(key, bytes.view()));
  }
  for (; gone != erased.end(); ++gone) MR_TRY(run->erase(*gone));
  MR_TRY(run->finish());
  spilled_ = true;
  erased_.clear();
  shared_->written.store(table.next_epoch(), std::memory_order_release);
  return {};
}

void BackedRows::evict(std::vector<char*>& rows) {
  for (char* row : rows) {
    codec_.drop(row);
    rows_.table().erase(KeyedTable::hash_of(row), KeyedTable::key_of(row));
  }
}

size_t BackedRows::memory_bytes() const {
  return rows_.table().used_bytes() + rows_.blobs().bytes() + rows_.table().size() * codec_.bytes_beside +
         erased_.size() * kErasedBytes + (codec_.timers == nullptr ? 0 : codec_.timers->memory_bytes());
}

/// The hand goes round over the rows: those used since it came last stay, the others leave unless they are changed.
/// Whether there are changed ones.
bool BackedRows::pick(size_t wanted, std::vector<char*>& leaving) {
  KeyedTable& table = rows_.table();
  const uint16_t written = shared_->written.load(std::memory_order_acquire);
  bool some_changed = false;
  std::array<const char*, kLookRows> page;
  for (size_t looked = 0; leaving.size() < wanted && looked < table.size();) {
    const size_t count = table.peek_rows(hand_, page);
    if (count == 0) hand_ = 0;  // the round ends; there are rows, so the next page is not empty
    looked += count;
    for (size_t i = 0; i < count && leaving.size() < wanted; ++i) {
      char* row = const_cast<char*>(page[i]);
      if (codec_.stays && codec_.stays(row)) continue;
      const bool changed = KeyedTable::changed_since(row, written);
      some_changed = some_changed || changed;
      if (!KeyedTable::take_used(row) && !changed) leaving.push_back(row);
    }
  }
  // A row may have been met twice when the hand came round within a page.
  std::ranges::sort(leaving);
  leaving.erase(std::ranges::unique(leaving).begin(), leaving.end());
  return some_changed;
}

Result<size_t> BackedRows::spill(size_t bytes) {
  KeyedTable& table = rows_.table();
  if (table.being_read()) return size_t{0};
  const size_t before = memory_bytes();
  if (codec_.timers != nullptr) MR_TRY(codec_.timers->spill_part(bytes, before));
  const size_t wanted = std::max<size_t>(1, bytes * table.size() / std::max<size_t>(memory_bytes(), 1));
  std::vector<char*> leaving;
  leaving.reserve(std::min(wanted, table.size()) + kLookRows);
  const bool some_changed = pick(wanted, leaving);
  const bool many_erased = erased_.size() * kErasedBytes > before / 8;
  if (many_erased || (leaving.size() < wanted && (some_changed || !erased_.empty()))) MR_TRY(write_back());
  // Twice round: in the second all rows are unused.
  for (int round = 0; round < 2 && leaving.size() < wanted; ++round) pick(wanted, leaving);
  evict(leaving);
  return before - std::min(before, memory_bytes());
}

// ---- snapshots ----

/// Writes what has changed up to a barrier into the store.
class BackedRows::Part final : public SnapshotPart {
 public:
  explicit Part(BackedRows& owner)
      : state_(owner.rows_.state_),
        store_(owner.store_.shared()),
        prefix_(owner.prefix_),
        lead_(owner.rows_.prefix_bytes_),
        max_parallelism_(owner.max_parallelism_),
        save_(owner.codec_.save),
        shared_(owner.shared_),
        written_(owner.shared_->written.load(std::memory_order_acquire)),
        buffer_bytes_(owner.store_.buffer_bytes()),
        erased_(owner.erased_.begin(), owner.erased_.end()),
        view_(state_->table.freeze()),
        epoch_(state_->table.next_epoch()) {}

  Status write(SnapshotWriter& /*writer*/) override {
    SpillBuffer buffer;
    ByteWriter bytes;
    Status status;
    view_->visit([&](uint64_t hash, std::string_view key, const char* row) {
      if (!status || !KeyedTable::changed_since(row, written_)) return;
      bytes.clear();
      save_(row, bytes);
      add_row(buffer, prefix_, lead_, group(hash, key), key, bytes.view());
      if (buffer.bytes() >= buffer_bytes_) status = buffer.write_run(*store_);
    });
    view_.reset();
    MR_TRY(status);
    for (const auto& [key, epoch] : erased_) {
      std::array<char, 2> group_bytes;
      put_key_group(group(hash64(key), key), group_bytes.data());
      const std::string_view text = key;
      buffer.erase({prefix_, text.substr(0, lead_), {group_bytes.data(), 2}, text.substr(lead_)});
    }
    MR_TRY(buffer.write_run(*store_));
    shared_->written.store(epoch_, std::memory_order_release);
    return {};
  }

 private:
  [[nodiscard]] uint32_t group(uint64_t hash, std::string_view key) const {
    return key_group_of(lead_ == 0 ? hash : hash64(key.substr(lead_)), max_parallelism_);
  }

  std::shared_ptr<KeyedRows::State> state_;
  std::shared_ptr<SpillStore> store_;
  std::string prefix_;
  size_t lead_;
  uint32_t max_parallelism_;
  KeyedRows::Save save_;
  std::shared_ptr<Shared> shared_;
  uint16_t written_;
  size_t buffer_bytes_;
  std::vector<std::pair<std::string, uint16_t>> erased_;
  std::unique_ptr<TableView> view_;
  uint16_t epoch_;
};

SnapshotPartPtr BackedRows::snapshot() {
  if (store_.opened() == nullptr) return nullptr;
  spilled_ = true;
  const uint16_t written = shared_->written.load(std::memory_order_acquire);
  std::erase_if(erased_, [&](const auto& one) { return static_cast<int16_t>(one.second - written) <= 0; });
  return std::make_unique<Part>(*this);
}

}  // namespace millrace
