// The encoded key that belongs to values somebody types: `state get … --key user_id=u1`. Values are read as SQL reads a
// text that is cast to the column's type. Pure.
#pragma once

#include <map>
#include <string>

#include "plan/expr/function_registry.h"
#include "plan/state_schema.h"

namespace millrace {

struct EncodedKey {
  std::string bytes;  // of the key columns
  uint64_t hash = 0;
};

/// kBadValue: a key column without a value, a value without a column, or one that is not of the column's type.
/// `values`: column name -> text, absent: NULL where `nulls` says so.
Result<EncodedKey> encode_key_values(const StateSchema& schema, const std::map<std::string, std::string>& values,
                                     const FunctionRegistry& functions);

/// The key columns of a state's rows, and how many bytes stand before them. Nothing: its rows have no such key.
struct KeyPlace {
  const StateField* key = nullptr;
  size_t offset = 0;
};
KeyPlace find_key(const StateSchema& schema);

}  // namespace millrace
