#include "runtime/operators/object_store.h"

#include <algorithm>
#include <array>

#include "runtime/operators/key_timers.h"
#include "state/spill_buffer.h"

namespace millrace {

namespace {
constexpr size_t kEntryBytes = 64;       // node of the map, heads of the two allocations
constexpr size_t kBytesPerUse = 512;     // an object is weighed anew after it may have grown by an eighth or so
constexpr uint16_t kUsesUnweighed = 32;  // or, while its weight stands still, after so many uses
}  // namespace

ObjectStore::~ObjectStore() {
  if (task_store_ != nullptr) task_store_->remove(*this);
}

uint32_t ObjectStore::group_of(std::string_view key) const { return key_group_of(hash64(key), max_parallelism_); }

std::string ObjectStore::store_key(std::string_view key) const {
  std::array<char, 2> group;
  put_key_group(group_of(key), group.data());
  std::string result;
  result.reserve(prefix_.size() + group.size() + key.size());
  return result.append(prefix_).append(group.data(), group.size()).append(key);
}

// ---- restore ----

Status ObjectStore::open_objects(const OperatorContext& context, std::vector<KeyTimers*> timers, const Visit& visit) {
  max_parallelism_ = context.max_parallelism;
  timers_ = std::move(timers);
  bool holds = false;
  if (context.store != nullptr) {
    task_store_ = context.store;
    MR_ASSIGN(TaskStore::Registered registered, task_store_->add(state_, {}, *this));
    prefix_ = std::move(registered.prefix);
    holds = spilled_ = registered.holds;
  }
  for (size_t i = 0; i < timers_.size(); ++i) {
    MR_TRY(timers_[i]->open(context, state_, "timers" + std::to_string(i)));
  }
  if (holds) return visit ? visit_stored(visit) : Status{};
  return context.restored == nullptr ? Status{} : restore(context, visit);
}

Status ObjectStore::restore(const OperatorContext& context, const Visit& visit) {
  uint64_t visited = 0;
  return context.restored->visit(state_, context.key_groups, context.subtask, context.parallelism,
                                 [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                   StoredObject& object = add(key);  // comes once, so the store does not have it
                                   MR_TRY(load(object, value));
                                   change(object);
                                   if (visit) MR_TRY(visit(object));
                                   // State larger than memory leaves it again while it is read.
                                   if (++visited % 1024 != 0) return {};
                                   settle();
                                   return balance();
                                 });
}

Status ObjectStore::visit_stored(const Visit& visit) {
  const auto at = task_store_->opened()->scan(prefix_, behind_prefix(prefix_));
  const std::unique_ptr<StoredObject> scratch = make({});
  const size_t head = prefix_.size() + 2;
  for (uint64_t visited = 1; at->valid(); at->next(), ++visited) {
    if (at->key().size() < head) return make_error(ErrorCode::kCorruptState, "a key of the state store is truncated");
    scratch->key_ = at->key().substr(head);
    scratch->clear();
    MR_TRY(load(*scratch, at->value()));
    MR_TRY(visit(*scratch));
    if (visited % 1024 == 0) MR_TRY(balance());
  }
  return at->status();
}

Status ObjectStore::load(StoredObject& object, std::string_view value) const {
  ByteReader in(value);
  object.present_ = true;
  if (object.load(in) && in.done()) return {};
  return make_error(ErrorCode::kCorruptState, "a row of state `" + state_.name + "` cannot be read");
}

// ---- look-up ----

Result<StoredObject*> ObjectStore::find_object(std::string_view key, bool for_writing) {
  MR_ASSIGN(StoredObject * object, entry(key));
  if (object == nullptr || !object->present_) return nullptr;
  if (for_writing) {
    change(*object);
  } else {
    object->used_ = true;
  }
  return object;
}

Result<StoredObject*> ObjectStore::object_at(std::string_view key) {
  MR_ASSIGN(StoredObject * object, entry(key));
  if (object == nullptr) object = &add(key);
  object->present_ = true;
  change(*object);
  return object;
}

void ObjectStore::erase_object(std::string_view key) {
  const auto found = objects_.find(key);
  if (found == objects_.end() && !spilled_) return;
  StoredObject& object = found == objects_.end() ? add(key) : *found->second;
  object.stored_ = object.stored_ || found == objects_.end();
  object.present_ = false;
  object.clear();
  change(object);
}

/// The entry of a key, brought into memory; nullptr: nobody has heard of it.
Result<StoredObject*> ObjectStore::entry(std::string_view key) {
  const auto found = objects_.find(key);
  if (found != objects_.end()) return found->second.get();
  if (!spilled_) return nullptr;
  StoredObject* object = &add(key);
  touch(*object);
  MR_TRY(fetch({&object, 1}));
  return object;
}

Status ObjectStore::prefetch(std::span<const std::string_view> keys) {
  settle();
  if (!spilled_) return {};
  std::vector<StoredObject*> absent;
  for (const std::string_view key : keys) {
    if (objects_.contains(key)) continue;
    StoredObject& object = add(key);
    touch(object);
    absent.push_back(&object);
  }
  return fetch(absent);
}

/// Fills new entries with what the store has.
Status ObjectStore::fetch(std::span<StoredObject* const> absent) {
  if (absent.empty()) return {};
  std::vector<std::string> keys;
  keys.reserve(absent.size());
  for (const StoredObject* object : absent) keys.push_back(store_key(object->key_));
  std::vector<std::string> values;
  std::vector<uint8_t> found;
  MR_TRY(task_store_->opened()->load(std::vector<std::string_view>(keys.begin(), keys.end()), values, found));
  for (size_t i = 0; i < absent.size(); ++i) {
    if (found[i] == 0) continue;
    MR_TRY(load(*absent[i], values[i]));
    absent[i]->stored_ = true;
    set_weight(*absent[i], values[i].size());
  }
  return {};
}

StoredObject& ObjectStore::add(std::string_view key) {
  std::unique_ptr<StoredObject> made = make(std::string(key));
  const std::string_view own = made->key_;
  return *objects_.emplace(own, std::move(made)).first->second;
}

// ---- what changes ----

void ObjectStore::touch(StoredObject& object) {
  object.used_ = true;
  if (std::exchange(object.touched_, true)) return;
  touched_.push_back(&object);
}

void ObjectStore::change(StoredObject& object) {
  touch(object);
  object.epoch_ = epoch_;
  if (task_store_ != nullptr && !object.listed_) list(object);
}

void ObjectStore::list(StoredObject& object) {
  object.listed_ = true;
  object.previous_ = nullptr;
  object.next_ = changed_;
  if (changed_ != nullptr) changed_->previous_ = &object;
  changed_ = &object;
}

void ObjectStore::unlist(StoredObject& object) {
  if (!std::exchange(object.listed_, false)) return;
  (object.previous_ == nullptr ? changed_ : object.previous_->next_) = object.next_;
  if (object.next_ != nullptr) object.next_->previous_ = object.previous_;
}

void ObjectStore::remove(StoredObject& object) {
  unlist(object);
  weight_ -= object.weight_;
  objects_.erase(objects_.find(std::string_view(object.key_)));  // the iterator: the key goes with the object
}

/// Nobody holds pointers any more.
void ObjectStore::settle() {
  for (StoredObject* object : touched_) {
    object->touched_ = false;
    if (!object->present_ && !object->stored_) {
      remove(*object);
    } else if (task_store_ != nullptr) {
      weigh(*object);
    }
  }
  touched_.clear();
}

/// As good as it must be: long objects only now and then, and ever less often those that neither grow nor shrink.
void ObjectStore::weigh(StoredObject& object) {
  if (object.uses_until_weighed_ > 0) {
    --object.uses_until_weighed_;
    return;
  }
  scratch_.clear();
  if (object.present_) object.save(scratch_);
  const uint32_t before = object.weight_;
  set_weight(object, scratch_.view().size());
  const uint32_t change = object.weight_ > before ? object.weight_ - before : before - object.weight_;
  const bool steady = change <= before / 8;
  object.uses_unweighed_ =
      steady ? static_cast<uint16_t>(std::min(object.uses_unweighed_ * 2 + 1, int{kUsesUnweighed})) : 0;
  object.uses_until_weighed_ = std::max(object.uses_until_weighed_, object.uses_unweighed_);
}

void ObjectStore::set_weight(StoredObject& object, size_t saved_bytes) {
  const size_t weight = sizeof(StoredObject) + kEntryBytes + object.key_.size() + 2 * saved_bytes;
  weight_ += weight - object.weight_;
  object.weight_ = static_cast<uint32_t>(std::min<size_t>(weight, UINT32_MAX));
  object.uses_until_weighed_ = static_cast<uint16_t>(std::min<size_t>(saved_bytes / kBytesPerUse, 1024));
}

// ---- into the store ----

size_t ObjectStore::memory_bytes() const {
  size_t bytes = weight_;
  for (const KeyTimers* timers : timers_) bytes += timers->memory_bytes();
  return bytes;
}

/// Their share of `bytes`.
Result<size_t> ObjectStore::spill_timers(size_t bytes) {
  const size_t total = memory_bytes();
  size_t freed = 0;
  for (KeyTimers* timers : timers_) {
    MR_ASSIGN(const size_t one, timers->spill_part(bytes, total));
    freed += one;
  }
  return freed;
}

Result<size_t> ObjectStore::spill(size_t bytes) {
  settle();
  MR_ASSIGN(const size_t freed, spill_timers(bytes));
  const size_t before = weight_;
  const std::vector<StoredObject*> leaving = choose(bytes - std::min(bytes, freed));
  MR_TRY(write_back(leaving));
  for (StoredObject* object : leaving) remove(*object);
  return freed + before - weight_;
}

/// The hand goes round over the buckets: objects used since it came last stay, the others leave.
std::vector<StoredObject*> ObjectStore::choose(size_t bytes) {
  std::vector<StoredObject*> leaving;
  const size_t buckets = objects_.bucket_count();
  size_t chosen = 0;
  // Twice round: in the second all are unused.
  for (size_t looked = 0; chosen < bytes && looked < 2 * buckets; ++looked) {
    if (hand_ >= buckets) hand_ = 0;
    for (auto at = objects_.begin(hand_); at != objects_.end(hand_); ++at) {
      StoredObject& object = *at->second;
      if (std::exchange(object.used_, false) || object.leaving_) continue;
      object.leaving_ = true;
      leaving.push_back(&object);
      chosen += object.weight_;
    }
    ++hand_;
  }
  return leaving;
}

void ObjectStore::add_to(SpillBuffer& buffer, const StoredObject& object, ByteWriter& scratch) const {
  std::array<char, 2> group;
  put_key_group(group_of(object.key_), group.data());
  if (!object.present_) {
    buffer.erase({prefix_, {group.data(), group.size()}, object.key_});
    return;
  }
  scratch.clear();
  object.save(scratch);
  buffer.add({prefix_, {group.data(), group.size()}, object.key_}, scratch.view());
}

Status ObjectStore::write_back(std::span<StoredObject* const> objects) {
  const uint32_t written = shared_->written.load(std::memory_order_acquire);
  SpillBuffer buffer;
  ByteWriter scratch;
  const auto write = [&]() -> Status {
    if (buffer.rows() == 0) return {};
    MR_ASSIGN(SpillStore * store, task_store_->open());
    spilled_ = true;
    return buffer.write_run(*store);
  };
  for (const StoredObject* object : objects) {
    if (object->epoch_ <= written) continue;
    add_to(buffer, *object, scratch);
    if (buffer.bytes() >= task_store_->buffer_bytes()) MR_TRY(write());
  }
  return write();
}

// ---- snapshots ----

/// The objects that had changed at the barrier.
class ObjectStore::Part final : public SnapshotPart {
 public:
  Part(std::shared_ptr<SpillStore> store, SpillBuffer buffer, std::shared_ptr<Shared> shared, uint32_t epoch)
      : store_(std::move(store)), buffer_(std::move(buffer)), shared_(std::move(shared)), epoch_(epoch) {}

  Status write(SnapshotWriter& /*writer*/) override {
    MR_TRY(buffer_.write_run(*store_));
    shared_->written.store(epoch_, std::memory_order_release);
    return {};
  }

 private:
  std::shared_ptr<SpillStore> store_;
  SpillBuffer buffer_;
  std::shared_ptr<Shared> shared_;
  uint32_t epoch_;
};

SnapshotPartPtr ObjectStore::snapshot() {
  settle();
  ByteWriter scratch;
  if (!opened()) {
    auto part = std::make_unique<RowsSnapshot>(state_);
    for (const auto& [key, object] : objects_) {
      scratch.clear();
      object->save(scratch);
      part->add(group_of(key), object->key_, std::string(scratch.view()));
    }
    return part;
  }
  spilled_ = true;
  const uint32_t written = shared_->written.load(std::memory_order_acquire);
  SpillBuffer buffer;
  for (StoredObject* object = changed_; object != nullptr;) {
    StoredObject& here = *std::exchange(object, object->next_);
    if (here.epoch_ > written) {
      add_to(buffer, here, scratch);
      here.stored_ = true;
    } else if (here.present_) {
      unlist(here);
    } else {
      remove(here);
    }
  }
  return std::make_unique<Part>(task_store_->shared(), std::move(buffer), shared_, epoch_++);
}

}  // namespace millrace
