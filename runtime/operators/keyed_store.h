// Keyed state of operators that keep whole objects per key (joins, sorts, top, patterns): T by encoded key, in memory
// first and in the task's store behind it (runtime/operators/object_store.h). For accumulators of fixed width there is
// runtime/operators/keyed_rows.h. T says how it is stored: `static void save(const T&, ByteWriter&)` and `static bool
// load(ByteReader&, T&)` in Codec; load() gets a T{}.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/operators/object_store.h"

namespace millrace {

template <class T, class Codec>
class KeyedStore final : public ObjectStore {
 public:
  using ObjectStore::ObjectStore;
  using Visit = std::function<Status(const std::string& key, const T& value)>;

  /// In open(). `visit` and `timers`: see ObjectStore::open_objects.
  Status open(const OperatorContext& context, std::vector<KeyTimers*> timers = {}, const Visit& visit = {}) {
    if (!visit) return open_objects(context, std::move(timers), {});
    return open_objects(context, std::move(timers), [&visit](StoredObject& object) {
      return visit(object.key(), static_cast<const Object&>(object).value);
    });
  }

  /// nullptr: absent.
  Result<T*> find(std::string_view key) { return value_of(find_object(key, true)); }
  /// For reading only: the object does not count as changed.
  Result<const T*> peek(std::string_view key) {
    MR_ASSIGN(const T* value, value_of(find_object(key, false)));
    return value;
  }
  Result<T*> at(std::string_view key) { return value_of(object_at(key)); }
  void erase(std::string_view key) { erase_object(key); }

 private:
  struct Object final : StoredObject {
    using StoredObject::StoredObject;
    T value{};
    void save(ByteWriter& out) const override { Codec::save(value, out); }
    bool load(ByteReader& in) override { return Codec::load(in, value); }
    void clear() override { value = T{}; }
  };
  static Result<T*> value_of(const Result<StoredObject*>& found) {
    if (!found) return std::unexpected(found.error());
    return *found == nullptr ? nullptr : &static_cast<Object*>(*found)->value;
  }
  [[nodiscard]] std::unique_ptr<StoredObject> make(std::string key) const override {
    return std::make_unique<Object>(std::move(key));
  }
};

}  // namespace millrace
