// The spill store on RocksDB. Runs are written with SstFileWriter and ingested, so no row ever passes a write buffer;
// reads are MultiGet of a batch or cursors with bounds. Exceptions do not leave RocksDB; its statuses end here.
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "core/file_copy.h"
#include "core/file_system.h"
#include "state/spill/rocks_options.h"

namespace millrace {

namespace {

constexpr uint64_t kRunFileBytes = 64ULL << 20;
constexpr std::string_view kSst = ".sst";

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

/// 12 of "000012.sst" and of "<instance>-000012.sst"; 0: none.
uint64_t number_of(std::string_view name) {
  if (!name.ends_with(kSst)) return 0;
  name.remove_suffix(kSst.size());
  if (const size_t dash = name.rfind('-'); dash != std::string_view::npos) name.remove_prefix(dash + 1);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

// So many files of runs may overlap before a new run waits for a compaction: look-ups ask each of them.
constexpr uint64_t kOverlappingFilesMax = 40;

class CompactionListener final : public rocksdb::EventListener {
 public:
  void OnCompactionCompleted(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& /*info*/) override {
    const std::lock_guard guard(mutex_);
    ended_.notify_all();
  }
  /// Until `enough` says so, which is asked after every compaction and now and then; not for ever.
  template <class Enough>
  void wait(Enough enough) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    std::unique_lock lock(mutex_);
    while (!enough() && std::chrono::steady_clock::now() < until) ended_.wait_for(lock, std::chrono::milliseconds(50));
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
};

class RocksStore;

class RocksRun final : public SpillRun {
 public:
  explicit RocksRun(RocksStore& store) : store_(store) {}
  ~RocksRun() override;
  RocksRun(const RocksRun&) = delete;
  RocksRun& operator=(const RocksRun&) = delete;

  Status add(std::string_view key, std::string_view value) override;
  Status erase(std::string_view key) override;
  Status finish() override;

 private:
  Status need_file();
  Status close_file();

  RocksStore& store_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::vector<std::string> files_;  // not ingested yet
};

class RocksCursor final : public SpillCursor {
 public:
  RocksCursor(rocksdb::DB& db, const std::string& directory, std::string begin, std::string end)
      : directory_(directory), end_(std::move(end)), bound_(end_) {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &bound_;
    options.total_order_seek = true;
    options.fill_cache = false;
    at_.reset(db.NewIterator(options));
    at_->Seek(begin);
  }
  RocksCursor(const RocksCursor&) = delete;
  RocksCursor& operator=(const RocksCursor&) = delete;

  [[nodiscard]] bool valid() const override { return at_->Valid(); }
  void next() override { at_->Next(); }
  [[nodiscard]] std::string_view key() const override { return view(at_->key()); }
  [[nodiscard]] std::string_view value() const override { return view(at_->value()); }
  [[nodiscard]] Status status() const override { return rocks_status(at_->status(), directory_); }

 private:
  std::string directory_;
  std::string end_;
  rocksdb::Slice bound_;
  std::unique_ptr<rocksdb::Iterator> at_;
};

class RocksCheckpoint final : public SpillCheckpoint {
 public:
  RocksCheckpoint(std::string directory, std::vector<File> files)
      : directory_(std::move(directory)), files_(std::move(files)) {}
  ~RocksCheckpoint() override {
    (void)local_file_system().remove_all(directory_);  // what stays goes with the store
  }
  RocksCheckpoint(const RocksCheckpoint&) = delete;
  RocksCheckpoint& operator=(const RocksCheckpoint&) = delete;
  [[nodiscard]] const std::vector<File>& files() const override { return files_; }

 private:
  std::string directory_;
  std::vector<File> files_;
};

class RocksStore final : public SpillStore {
 public:
  explicit RocksStore(const SpillStoreOptions& options)
      : memory_(options.memory),
        options_(rocks_options(options.memory)),
        directory_(options.directory),
        instance_(options.instance) {
    options_.listeners.push_back(compactions_);
  }
  ~RocksStore() override {
    if (db_) {
      rocksdb::CancelAllBackgroundWork(db_.get(), true);
      db_.reset();
    }
    (void)local_file_system().remove_all(directory_);
  }
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  Status open(const SpillStoreOptions& options) {
    MR_TRY(local_file_system().remove_all(directory_));
    MR_TRY(local_file_system().create_directories(runs_directory()));
    MR_TRY(local_file_system().create_directories(db_directory()));
    if (options.files != nullptr) MR_TRY(fetch(*options.from, *options.files));
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened = options.read_only ? rocksdb::DB::OpenForReadOnly(options_, db_directory(), &db)
                                                     : rocksdb::DB::Open(options_, db_directory(), &db);
    db_.reset(db);
    if (opened.IsCorruption() && options.files != nullptr) MR_TRY(compare(*options.files));
    return rocks_status(opened, directory_);
  }

  Result<std::unique_ptr<SpillRun>> begin_run() override { return std::make_unique<RocksRun>(*this); }

  Status load(std::span<const std::string_view> keys, std::vector<std::string>& values,
              std::vector<uint8_t>& found) override {
    std::vector<rocksdb::Slice> slices;
    slices.reserve(keys.size());
    for (const std::string_view key : keys) slices.push_back(slice(key));
    std::vector<rocksdb::PinnableSlice> pinned(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet({}, db_->DefaultColumnFamily(), keys.size(), slices.data(), pinned.data(), statuses.data(), false);
    values.resize(keys.size());
    found.assign(keys.size(), 0);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      MR_TRY(rocks_status(statuses[i], directory_));
      values[i].assign(pinned[i].data(), pinned[i].size());
      found[i] = 1;
    }
    return {};
  }

  std::unique_ptr<SpillCursor> scan(std::string begin, std::string end) const override {
    return std::make_unique<RocksCursor>(*db_, directory_, std::move(begin), std::move(end));
  }

  Status drop(std::string_view begin, std::string_view end) override {
    const rocksdb::Slice from = slice(begin);
    const rocksdb::Slice to = slice(end);
    const rocksdb::RangePtr range(&from, &to);
    MR_TRY(rocks_status(rocksdb::DeleteFilesInRanges(db_.get(), db_->DefaultColumnFamily(), &range, 1, false),
                        directory_));
    if (const auto left = scan(std::string(begin), std::string(end)); !left->valid()) return left->status();
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    return rocks_status(db_->DeleteRange(unlogged, db_->DefaultColumnFamily(), from, to), directory_);
  }

  Result<std::unique_ptr<SpillCheckpoint>> checkpoint() override {
    rocksdb::Checkpoint* made = nullptr;
    MR_TRY(rocks_status(rocksdb::Checkpoint::Create(db_.get(), &made), directory_));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    const std::string target = join_path(directory_, "chk-" + std::to_string(next_checkpoint_++));
    MR_TRY(rocks_status(checkpoint->CreateCheckpoint(target, 0), directory_));
    MR_ASSIGN(const std::vector<DirEntry> entries, local_file_system().list(target));
    std::vector<SpillCheckpoint::File> files;
    for (const DirEntry& entry : entries) {
      if (entry.is_directory || entry.name.starts_with("LOG")) continue;
      const uint64_t number = number_of(entry.name);
      const bool shared = number != 0;
      files.push_back({shared ? SnapshotFileKind::kShared : SnapshotFileKind::kOwn,
                       shared ? shared_name(number) : entry.name, join_path(target, entry.name)});
    }
    return std::make_unique<RocksCheckpoint>(target, std::move(files));
  }

  [[nodiscard]] uint64_t bytes() const override {
    uint64_t bytes = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    return bytes;
  }

  [[nodiscard]] uint64_t rows() const override {
    uint64_t rows = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &rows);
    return rows;
  }

  [[nodiscard]] uint64_t bytes(std::string_view begin, std::string_view end) const override {
    const rocksdb::Range range(slice(begin), slice(end));
    rocksdb::SizeApproximationOptions how;
    uint64_t bytes = 0;
    (void)db_->GetApproximateSizes(how, db_->DefaultColumnFamily(), &range, 1, &bytes);
    return bytes;
  }

  // For runs.
  [[nodiscard]] const rocksdb::Options& options() const { return options_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  std::string next_run_file() {
    return join_path(runs_directory(), std::to_string(next_file_.fetch_add(1)) + std::string(kSst));
  }
  Status ingest(const std::vector<std::string>& files) {
    rocksdb::IngestExternalFileOptions how;
    how.move_files = true;
    how.snapshot_consistency = false;  // cursors and checkpoints have their own views
    how.write_global_seqno = false;
    MR_TRY(rocks_status(db_->IngestExternalFile(files, how), directory_));
    compactions_->wait([this] { return number(kOverlappingFiles) <= kOverlappingFilesMax || !compacting(); });
    return {};
  }

 private:
  static constexpr const char* kOverlappingFiles = "rocksdb.num-files-at-level0";

  [[nodiscard]] uint64_t number(const std::string& property) const {
    std::string text;
    uint64_t value = 0;
    if (db_->GetProperty(property, &text)) std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  [[nodiscard]] bool compacting() const {
    return number(rocksdb::DB::Properties::kCompactionPending) +
               number(rocksdb::DB::Properties::kNumRunningCompactions) >
           0;
  }
  [[nodiscard]] std::string db_directory() const { return join_path(directory_, "db"); }
  [[nodiscard]] std::string runs_directory() const { return join_path(directory_, "runs"); }

  std::string shared_name(uint64_t number) const {
    if (const auto known = restored_names_.find(number); known != restored_names_.end()) return known->second;
    std::string digits = std::to_string(number);
    digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
    return instance_ + "-" + digits + std::string(kSst);
  }

  [[nodiscard]] std::string local_path(const RestoredFile& file) const {
    const bool shared = number_of(file.name) != 0;
    return join_path(db_directory(), shared ? file.name.substr(file.name.rfind('-') + 1) : file.name);
  }

  Status fetch(const RestoredState& from, const RestoredStore& store) {
    for (const RestoredFile& file : store.files) {
      if (const uint64_t number = number_of(file.name); number != 0) restored_names_[number] = file.name;
      MR_TRY(from.fetch(file, local_path(file)));
    }
    return {};
  }

  /// Files that were linked have not been read before: names the one of the checkpoint that is damaged.
  Status compare(const RestoredStore& store) const {
    for (const RestoredFile& file : store.files) {
      if (file.path.empty()) continue;
      const auto found = digest_file(local_file_system(), local_path(file));
      if (found && *found == FileDigest{file.bytes, file.checksum}) continue;
      return make_error(ErrorCode::kCorruptState, file.path + ": the file is missing, or its checksum is another",
                        "restore an older checkpoint with --restore, or start with --fresh");
    }
    return {};
  }

  std::shared_ptr<SpillMemory> memory_;
  rocksdb::Options options_;
  std::string directory_;
  std::string instance_;
  std::shared_ptr<CompactionListener> compactions_ = std::make_shared<CompactionListener>();
  std::unique_ptr<rocksdb::DB> db_;
  std::map<uint64_t, std::string> restored_names_;
  std::atomic<uint64_t> next_file_{1};
  std::atomic<uint64_t> next_checkpoint_{1};
};

RocksRun::~RocksRun() {
  writer_.reset();
  for (const std::string& file : files_) (void)local_file_system().remove(file);
}

Status RocksRun::need_file() {
  if (writer_ && writer_->FileSize() >= kRunFileBytes) MR_TRY(close_file());
  if (writer_) return {};
  rocksdb::EnvOptions how;
  how.bytes_per_sync = 1 << 20;  // so that the sync at the end finds little to do
  writer_ = std::make_unique<rocksdb::SstFileWriter>(how, store_.options());
  files_.push_back(store_.next_run_file());
  return rocks_status(writer_->Open(files_.back()), store_.directory());
}

Status RocksRun::add(std::string_view key, std::string_view value) {
  MR_TRY(need_file());
  return rocks_status(writer_->Put(slice(key), slice(value)), store_.directory());
}

Status RocksRun::erase(std::string_view key) {
  MR_TRY(need_file());
  return rocks_status(writer_->Delete(slice(key)), store_.directory());
}

Status RocksRun::close_file() {
  const rocksdb::Status status = writer_->Finish();
  writer_.reset();
  return rocks_status(status, store_.directory());
}

Status RocksRun::finish() {
  if (writer_) MR_TRY(close_file());
  if (files_.empty()) return {};
  MR_TRY(store_.ingest(files_));
  files_.clear();
  return {};
}

}  // namespace

Result<std::unique_ptr<SpillStore>> open_spill_store(const SpillStoreOptions& options) {
  auto store = std::make_unique<RocksStore>(options);
  MR_TRY(store->open(options));
  return store;
}

}  // namespace millrace
