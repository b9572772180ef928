// Constructors ARRAY[…], MAP[…], ROW(…), element access and CARDINALITY.
#include "functions/collections/collections.h"

#include <fmt/format.h>

#include "functions/collections/gather.h"
#include "functions/compare/values.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

bool any_argument_null(const KernelArgs& call, uint32_t row) {
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (call.args[i]->is_null(call.constant[i] != 0 ? 0 : row)) return true;
  }
  return false;
}

namespace {

uint32_t argument_row(const KernelArgs& call, size_t index, uint32_t row) {
  return call.constant[index] != 0 ? 0 : row;
}

void array_kernel(const KernelArgs& call) {
  ValueCollector items(*call.result_type->children[0]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, items.size());
    for (size_t i = 0; i < call.args.size(); ++i) items.add(*call.args[i], argument_row(call, i, row));
    lists.end(items.size());
  }
  lists.finish(items.column());
}

Result<ResolvedCall> resolve_array(ArgTypes types, ArgLiterals) {
  if (types.empty())
    return make_error(ErrorCode::kNotSupportedYet, "an empty ARRAY[] has no type", "use CAST(NULL AS ARRAY<…>)");
  TypePtr element = least_restrictive(types);
  if (!element) return argument_error("ARRAY", types, "elements of one type");
  if (element->kind == TypeKind::kNull) return argument_error("ARRAY", types, "an element with a type");
  return ResolvedCall{make_array(element, false), std::vector<TypePtr>(types.size(), element), nullptr};
}

void map_kernel(const KernelArgs& call) {
  const DataType& type = *call.result_type;
  ValueCollector keys(*type.children[0]);
  ValueCollector values(*type.children[1]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, keys.size());
    for (size_t i = 0; i < call.args.size(); i += 2) {
      // A key that comes again replaces the value before.
      bool repeated = false;
      for (size_t k = i + 2; k < call.args.size() && !repeated; k += 2) {
        repeated = compare_values(*type.children[0], *call.args[i], argument_row(call, i, row), *call.args[k],
                                  argument_row(call, k, row)) == 0;
      }
      if (repeated) continue;
      keys.add(*call.args[i], argument_row(call, i, row));
      values.add(*call.args[i + 1], argument_row(call, i + 1, row));
    }
    lists.end(keys.size());
  }
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->children() = {keys.column(), values.column()};
  entries->resize(keys.size());
  lists.finish(entries);
}

Result<ResolvedCall> resolve_map(ArgTypes types, ArgLiterals) {
  if (types.empty() || types.size() % 2 != 0) return argument_count_error("MAP", types.size(), "MAP[key, value, …]");
  std::vector<TypePtr> keys;
  std::vector<TypePtr> values;
  for (size_t i = 0; i < types.size(); ++i) (i % 2 == 0 ? keys : values).push_back(types[i]);
  TypePtr key = least_restrictive(keys);
  TypePtr value = least_restrictive(values);
  if (!key || !value || key->kind == TypeKind::kNull || value->kind == TypeKind::kNull) {
    return argument_error("MAP", types, "keys of one type and values of one type");
  }
  std::vector<TypePtr> targets;
  for (size_t i = 0; i < types.size(); ++i) targets.push_back(i % 2 == 0 ? key : value);
  return ResolvedCall{make_map(key, value, false), std::move(targets), nullptr};
}

void row_kernel(const KernelArgs& call) {
  for (size_t i = 0; i < call.args.size(); ++i) {
    ValueCollector field(*call.result_type->children[i]);
    uint32_t next = 0;
    for (uint32_t row : call.rows) {
      for (; next < row; ++next) field.add_null();
      field.add(*call.args[i], argument_row(call, i, row));
      ++next;
    }
    for (; next < call.length; ++next) field.add_null();
    call.out.children()[i] = field.column();
  }
  call.out.resize(call.length);
}

Result<ResolvedCall> resolve_row(ArgTypes types, ArgLiterals) {
  if (types.empty()) return argument_count_error("ROW", 0, "ROW(value, …)");
  std::vector<std::string> names;
  std::vector<TypePtr> targets;
  for (size_t i = 0; i < types.size(); ++i) {
    names.push_back(fmt::format("EXPR${}", i));
    targets.push_back(types[i]->kind == TypeKind::kNull ? make_type(TypeKind::kBoolean) : types[i]);
  }
  return ResolvedCall{make_row(std::move(names), targets, false), targets, nullptr};
}

/// array[i] from 1, map[key]; NULL where there is none.
void item_kernel(const KernelArgs& call) {
  const bool map = call.types[0]->kind == TypeKind::kMap;
  ListReader list(call, 0);
  const DataType& type = *call.result_type;
  ValueCollector values(type);
  uint32_t next = 0;
  const bool constants = call.constant[0] != 0 && call.constant[1] != 0;
  for (uint32_t row : call.rows) {
    for (; next < row; ++next) values.add_null();
    ++next;
    uint32_t found = UINT32_MAX;
    if (!any_argument_null(call, row)) {
      if (map) {
        for (uint32_t at = list.begin(row); at < list.end(row); ++at) {
          if (compare_values(*call.types[1], list.keys(), at, *call.args[1], argument_row(call, 1, row)) == 0)
            found = at;
        }
      } else {
        int64_t index = IntegerReader(call, 1)[row];
        if (index >= 1 && index <= list.size(row)) found = list.begin(row) + static_cast<uint32_t>(index) - 1;
      }
    }
    if (found != UINT32_MAX) {
      values.add(map ? list.values() : list.items(), found);
      continue;
    }
    values.add_null();
    // Flink answers -1 or a like filler here; there is no right value of a NOT NULL type.
    if (map && constants && !call.types[0]->children[1]->nullable)
      call.errors.add(row, "the constant map does not have this key");
  }
  for (; next < call.length; ++next) values.add_null();
  append_rows(*values.column(), nullptr, call.length, call.out, nullptr);
}

/// The evaluator has sized columns of fixed width already, so values are put in place there.
void item_fixed_kernel(const KernelArgs& call) {
  auto built = make_column(*call.result_type);
  KernelArgs inner{call.args,   call.types, call.result_type, call.rows,   *built,        call.arena,
                   call.errors, call.bound, call.now_ms,      call.length, call.constant, call.expr};
  item_kernel(inner);
  if (call.out.type() >= PhysicalType::kList) {
    append_rows(*built, nullptr, call.length, call.out, nullptr);
    return;
  }
  call.out.resize(0);
  append_rows(*built, nullptr, call.length, call.out, nullptr);
}

Result<ResolvedCall> resolve_item(ArgTypes types, ArgLiterals literals) {
  const TypePtr& list = types[0];
  if (list->kind == TypeKind::kArray) {
    bool fits = types[1]->is_integer() || types[1]->kind == TypeKind::kNull;
    if (!fits) return argument_error("array[…]", types, "a number from 1");
    const int64_t* index = literal_integer(literals, 1);
    if (index != nullptr && *index < 1)
      return make_error(ErrorCode::kTypeMismatch, "elements of an ARRAY are counted from 1");
    TypePtr position = types[1]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[1];
    return ResolvedCall{with_nullable(list->children[0], true), {list, position}, nullptr};
  }
  if (list->kind == TypeKind::kMap) {
    TypePtr key = comparison_type(list->children[0], types[1]);
    bool texts = list->children[0]->is_text() && types[1]->is_text();
    if (!texts && (!key || !same_type(*key, *list->children[0]))) {
      return argument_error("map[…]", types, fmt::format("a key of type {}", list->children[0]->to_string()));
    }
    return ResolvedCall{with_nullable(list->children[1], true), {list, texts ? types[1] : key}, nullptr};
  }
  return argument_error("[…]", types, "an ARRAY, a MAP or a ROW");
}

void cardinality_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  for (uint32_t row : call.rows) put_integer(call.out, row, list.size(row));
}

}  // namespace

void register_collections(FunctionRegistry& registry) {
  add_function(registry, "ARRAY", resolve_array, array_kernel, "ARRAY[value, …]", {false, true});
  add_function(registry, "MAP", resolve_map, map_kernel, "MAP[key, value, …]", {false, true});
  add_function(registry, "ROW", resolve_row, row_kernel, "ROW(value, …)", {false, true});
  add_function(registry, "ITEM", resolve_item, item_fixed_kernel, "array[index], map[key]", {false, true});
  auto cardinality = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    bool fits = types.size() == 1 && (types[0]->kind == TypeKind::kArray || types[0]->kind == TypeKind::kMap);
    if (!fits) return argument_error("CARDINALITY", types, "an ARRAY or a MAP");
    return ResolvedCall{make_type(TypeKind::kInt, types[0]->nullable), {types[0]}, nullptr};
  };
  add_function(registry, "CARDINALITY", cardinality, cardinality_kernel, "number of elements");
  register_arrays(registry);
  register_maps(registry);
}

}  // namespace millrace
