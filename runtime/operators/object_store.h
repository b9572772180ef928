// Objects by encoded key, in memory and behind it in the task's store: what runtime/operators/keyed_store.h is typed
// over. An object that is not in memory is read when its key is asked for, those of a batch together by prefetch().
// Over the budget, objects that were not used lately are written back where they have changed, and leave. A snapshot
// writes what has changed since the last one.
//
// An entry whose object is absent stands for a key that was erased, until the store knows, or that was looked for in
// vain, until the next prefetch(). Object pointers are good until the next prefetch(), spill() or snapshot().
// Task's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "core/hash.h"
#include "runtime/spi/operator.h"
#include "state/task_store.h"

namespace millrace {

class KeyTimers;

/// One key's object, and how it is stored.
class StoredObject {
 public:
  explicit StoredObject(std::string key) : key_(std::move(key)) {}
  virtual ~StoredObject() = default;
  StoredObject(const StoredObject&) = delete;
  StoredObject& operator=(const StoredObject&) = delete;

  [[nodiscard]] const std::string& key() const { return key_; }
  virtual void save(ByteWriter& out) const = 0;
  virtual bool load(ByteReader& in) = 0;
  virtual void clear() = 0;

 private:
  friend class ObjectStore;
  std::string key_;
  StoredObject* previous_ = nullptr;  // in the list of changed ones
  StoredObject* next_ = nullptr;
  uint32_t epoch_ = 0;  // of the last change
  uint32_t weight_ = 0;
  uint16_t uses_until_weighed_ = 0;
  uint16_t uses_unweighed_ = 0;  // between the last two times
  bool present_ = false;
  bool stored_ = false;  // the store may have an older version
  bool used_ = false;    // since the hand last came by
  bool touched_ = false;
  bool listed_ = false;
  bool leaving_ = false;
};

class ObjectStore : public SpillableState {
 public:
  explicit ObjectStore(StateDescriptor state) : state_(std::move(state)) {}
  ~ObjectStore() override;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;

  /// All keys of a batch at once. Ends the use of pointers handed out before.
  Status prefetch(std::span<const std::string_view> keys);
  /// In memory.
  [[nodiscard]] size_t size() const { return objects_.size(); }
  SnapshotPartPtr snapshot();

  /// Within a long call, when no object is in hand: what is too much leaves memory.
  Status balance() { return task_store_ == nullptr ? Status{} : task_store_->balance(*this); }
  [[nodiscard]] size_t memory_bytes() const override;
  Result<size_t> spill(size_t bytes) override;

 protected:
  using Visit = std::function<Status(StoredObject& object)>;
  /// Restores. `visit` sees every restored object, those that stay in the store too; null: nobody looks at them.
  /// `timers` leave memory with the objects.
  Status open_objects(const OperatorContext& context, std::vector<KeyTimers*> timers, const Visit& visit);
  /// nullptr: absent.
  Result<StoredObject*> find_object(std::string_view key, bool for_writing);
  /// Made when it is absent.
  Result<StoredObject*> object_at(std::string_view key);
  void erase_object(std::string_view key);
  [[nodiscard]] virtual std::unique_ptr<StoredObject> make(std::string key) const = 0;

 private:
  class Part;
  struct Shared {
    std::atomic<uint32_t> written{0};  // changes up to this epoch are in the store
  };
  struct Hash {
    size_t operator()(std::string_view key) const { return hash64(key); }
  };

  StoredObject& add(std::string_view key);
  Result<StoredObject*> entry(std::string_view key);
  Status fetch(std::span<StoredObject* const> absent);
  Status load(StoredObject& object, std::string_view value) const;
  void touch(StoredObject& object);
  void change(StoredObject& object);
  void list(StoredObject& object);
  void unlist(StoredObject& object);
  void remove(StoredObject& object);
  void settle();
  void weigh(StoredObject& object);
  void set_weight(StoredObject& object, size_t saved_bytes);
  std::vector<StoredObject*> choose(size_t bytes);
  Status write_back(std::span<StoredObject* const> objects);
  void add_to(class SpillBuffer& buffer, const StoredObject& object, ByteWriter& scratch) const;
  Status restore(const OperatorContext& context, const Visit& visit);
  Status visit_stored(const Visit& visit);
  [[nodiscard]] uint32_t group_of(std::string_view key) const;
  [[nodiscard]] std::string store_key(std::string_view key) const;
  Result<size_t> spill_timers(size_t bytes);
  [[nodiscard]] bool opened() const { return task_store_ != nullptr && task_store_->opened() != nullptr; }

  StateDescriptor state_;
  uint32_t max_parallelism_ = 0;
  std::unordered_map<std::string_view, std::unique_ptr<StoredObject>, Hash> objects_;
  std::vector<StoredObject*> touched_;  // since settle()
  size_t weight_ = 0;
  ByteWriter scratch_;  // for weighing

  TaskStore* task_store_ = nullptr;  // null: everything stays in memory
  std::vector<KeyTimers*> timers_;
  std::string prefix_;
  bool spilled_ = false;             // the store has, or had, rows of this state
  StoredObject* changed_ = nullptr;  // first of a list: behind the last epoch that is known to be written
  uint32_t epoch_ = 1;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  size_t hand_ = 0;  // the bucket where the next look for objects to spill begins
};

}  // namespace millrace
