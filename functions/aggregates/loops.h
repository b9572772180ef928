// The loops that all aggregates share: over the rows of a batch with a value, over many states at the end. The common
// case (no NULLs, only inserts) has a loop of its own, because update() is the hot path of every window.
#pragma once

#include <memory>
#include <string>

#include "plan/expr/function_registry.h"
#include "runtime/spi/aggregate.h"

namespace millrace {

template <class State>
State& state_of(char* bytes) {
  return *reinterpret_cast<State*>(bytes);
}
template <class State>
const State& state_of(const char* bytes) {
  return *reinterpret_cast<const State*>(bytes);
}

/// +1 for +I and +U, -1 for -U and -D.
inline int64_t sign_of(const uint8_t* kinds, uint32_t row) { return kinds != nullptr && (kinds[row] & 1U) ? -1 : 1; }

/// Calls f(state, value, i, sign) for every row whose first argument is not NULL.
template <class T, class F>
inline void each_value(const AggregateInput& in, F&& f) {
  const T* values = in.args[0]->values<T>();
  const uint8_t* nulls = in.args[0]->nulls();
  const uint32_t* rows = in.rows.data();
  char* const* states = in.states.data();
  const size_t count = in.rows.size();
  if (nulls == nullptr && in.kinds == nullptr) {
    for (size_t i = 0; i < count; ++i) f(states[i], values[rows[i]], i, int64_t{1});
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t row = rows[i];
    if (nulls == nullptr || nulls[row] == 0) f(states[i], values[row], i, sign_of(in.kinds, row));
  }
}

/// Calls f.template operator()<T>() with the C++ type of a fixed-width layout; false for strings, lists and structs.
template <class F>
bool with_fixed_type(PhysicalType type, F&& f) {
  switch (type) {
    case PhysicalType::kBool:
      f.template operator()<uint8_t>();
      return true;
    case PhysicalType::kInt32:
      f.template operator()<int32_t>();
      return true;
    case PhysicalType::kInt64:
      f.template operator()<int64_t>();
      return true;
    case PhysicalType::kFloat:
      f.template operator()<float>();
      return true;
    case PhysicalType::kDouble:
      f.template operator()<double>();
      return true;
    case PhysicalType::kInt128:
      f.template operator()<int128>();
      return true;
    default:
      return false;
  }
}

/// Numbers in snapshots, which are mostly small: zigzag, then LEB128.
inline void put_packed(ByteWriter& out, __int128 value) {
  auto left = (static_cast<unsigned __int128>(value) << 1) ^ static_cast<unsigned __int128>(value >> 127);
  for (; left >= 0x80; left >>= 7) out.put(static_cast<uint8_t>(left | 0x80));
  out.put(static_cast<uint8_t>(left));
}
inline __int128 get_packed(ByteReader& in) {
  unsigned __int128 packed = 0;
  for (int shift = 0; shift < 128 && in.ok(); shift += 7) {
    const auto byte = in.get<uint8_t>();
    packed |= static_cast<unsigned __int128>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return static_cast<__int128>(packed >> 1) ^ -static_cast<__int128>(packed & 1);
}

inline Status truncated_state() { return make_error(ErrorCode::kCorruptState, "an accumulator is truncated"); }

inline std::unexpected<Error> wrong_argument(const std::string& function, const DataType& type, const char* wants) {
  return make_error(ErrorCode::kTypeMismatch, function + " needs " + wants + ", this is " + type.to_string());
}

/// One aggregate with one argument of any type that `resolve` accepts.
inline void add_aggregate(FunctionRegistry& functions, std::string name, std::string help,
                          std::function<Result<ResolvedCall>(std::span<const TypePtr>)> resolve,
                          decltype(AggregateFactory::make) make, bool by_arrival = false, bool retractable = false) {
  AggregateSignature signature;
  signature.name = std::move(name);
  signature.help = std::move(help);
  signature.resolve = std::move(resolve);
  signature.factory = std::make_shared<AggregateFactory>(AggregateFactory{make});
  signature.by_arrival = by_arrival;
  signature.retractable = retractable;
  functions.add(std::move(signature));
}

/// Exactly one argument, else an error that names the function.
inline Status one_argument(const std::string& name, std::span<const TypePtr> types) {
  if (types.size() == 1) return {};
  return make_error(ErrorCode::kTypeMismatch, name + " takes 1 argument, not " + std::to_string(types.size()));
}

}  // namespace millrace
