// ARRAY_…: sets, sorting, joining, slices.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "functions/collections/collections.h"
#include "functions/collections/gather.h"
#include "functions/compare/values.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

struct ValueRef {
  const Column* column;
  uint32_t row;
};
struct ValueOrder {
  const DataType* type;
  bool operator()(const ValueRef& a, const ValueRef& b) const {
    return compare_values(*type, *a.column, a.row, *b.column, b.row) < 0;
  }
};
using ValueSet = std::set<ValueRef, ValueOrder>;

const DataType& element_type(const KernelArgs& call, size_t index = 0) { return *call.types[index]->children[0]; }

void add_elements(ValueSet& set, const ListReader& list, uint32_t row) {
  for (uint32_t at = list.begin(row); at < list.end(row); ++at) set.insert({&list.items(), at});
}

/// Runs f(row, items) for each row without NULL arguments; f adds the elements of the result.
template <class F>
void build_arrays(const KernelArgs& call, F&& f) {
  ValueCollector items(*call.result_type->children[0]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, items.size());
    f(row, items, lists);
    lists.end(items.size());
  }
  lists.finish(items.column());
}

enum class SetOperation : uint8_t { kUnion, kExcept, kIntersect, kDistinct };

template <SetOperation kOp>
void set_kernel(const KernelArgs& call) {
  ListReader a(call, 0);
  ListReader b(call, call.args.size() - 1);
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (any_argument_null(call, row)) return lists.set_null(row);
    ValueSet seen{ValueOrder{&element_type(call)}};
    ValueSet other{ValueOrder{&element_type(call)}};
    if constexpr (kOp == SetOperation::kExcept || kOp == SetOperation::kIntersect) add_elements(other, b, row);
    auto take = [&](const ListReader& list) {
      for (uint32_t at = list.begin(row); at < list.end(row); ++at) {
        ValueRef value{&list.items(), at};
        if (kOp == SetOperation::kExcept && other.contains(value)) continue;
        if (kOp == SetOperation::kIntersect && !other.contains(value)) continue;
        if (seen.insert(value).second) items.add(list.items(), at);
      }
    };
    take(a);
    if constexpr (kOp == SetOperation::kUnion) take(b);
  });
}

void concat_arrays_kernel(const KernelArgs& call) {
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (any_argument_null(call, row)) return lists.set_null(row);
    for (size_t i = 0; i < call.args.size(); ++i) {
      ListReader list(call, i);
      for (uint32_t at = list.begin(row); at < list.end(row); ++at) items.add(list.items(), at);
    }
  });
}

void reverse_array_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (list.is_null(row)) return lists.set_null(row);
    for (uint32_t at = list.end(row); at > list.begin(row); --at) items.add(list.items(), at - 1);
  });
}

/// (array[, ascending[, nulls first]]).
void sort_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (any_argument_null(call, row)) return lists.set_null(row);
    bool ascending = call.args.size() < 2 || (ArgReader<uint8_t>(call, 1)[row] & 1U) != 0;
    bool nulls_first = call.args.size() < 3 ? ascending : (ArgReader<uint8_t>(call, 2)[row] & 1U) != 0;
    std::vector<uint32_t> order;
    for (uint32_t at = list.begin(row); at < list.end(row); ++at) order.push_back(at);
    std::ranges::stable_sort(order, [&](uint32_t x, uint32_t y) {
      bool null_x = list.items().is_null(x);
      bool null_y = list.items().is_null(y);
      if (null_x || null_y) return null_x != null_y && null_x == nulls_first;
      int compared = compare_values(element_type(call), list.items(), x, list.items(), y);
      return ascending ? compared < 0 : compared > 0;
    });
    for (uint32_t at : order) items.add(list.items(), at);
  });
}

/// ARRAY_APPEND, ARRAY_PREPEND and ARRAY_REMOVE: (array, element); a NULL element counts as an element.
enum class ElementOperation : uint8_t { kAppend, kPrepend, kRemove };
template <ElementOperation kOp>
void element_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (list.is_null(row)) return lists.set_null(row);
    const Column& element = *call.args[1];
    uint32_t at_element = call.constant[1] != 0 ? 0 : row;
    if constexpr (kOp == ElementOperation::kPrepend) items.add(element, at_element);
    for (uint32_t at = list.begin(row); at < list.end(row); ++at) {
      bool same = kOp == ElementOperation::kRemove &&
                  compare_values(element_type(call), list.items(), at, element, at_element) == 0;
      if (!same) items.add(list.items(), at);
    }
    if constexpr (kOp == ElementOperation::kAppend) items.add(element, at_element);
  });
}

/// (array, start[, end]): from 1, both included, negative from the end.
void slice_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  build_arrays(call, [&](uint32_t row, ValueCollector& items, ListWriter& lists) {
    if (any_argument_null(call, row)) return lists.set_null(row);
    int64_t size = list.size(row);
    auto position = [&](int64_t index) { return index < 0 ? index + size + 1 : index; };
    int64_t start = position(IntegerReader(call, 1)[row]);
    int64_t end = call.args.size() > 2 ? position(IntegerReader(call, 2)[row]) : size;
    start = std::max<int64_t>(1, start);
    end = std::min(end, size);
    for (int64_t i = start; i <= end; ++i) items.add(list.items(), list.begin(row) + static_cast<uint32_t>(i) - 1);
  });
}

/// Position of an element from 1, 0 when it is not there.
int64_t find_element(const KernelArgs& call, const ListReader& list, uint32_t row) {
  uint32_t at_element = call.constant[1] != 0 ? 0 : row;
  for (uint32_t at = list.begin(row); at < list.end(row); ++at) {
    if (compare_values(element_type(call), list.items(), at, *call.args[1], at_element) == 0)
      return at - list.begin(row) + 1;
  }
  return 0;
}

void contains_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  for (uint32_t row : call.rows) {
    if (list.is_null(row))
      call.out.set_null(row);
    else
      call.out.values<uint8_t>()[row] = find_element(call, list, row) > 0 ? 1 : 0;
  }
}

void position_element_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  for (uint32_t row : call.rows) {
    if (list.is_null(row))
      call.out.set_null(row);
    else
      put_integer(call.out, row, find_element(call, list, row));
  }
}

/// Puts picked elements into a result column of any layout; UINT32_MAX is NULL.
void put_elements(const KernelArgs& call, const Column& items, const std::vector<uint32_t>& picked) {
  ValueCollector values(*call.result_type);
  size_t i = 0;
  uint32_t next = 0;
  for (uint32_t row : call.rows) {
    for (; next < row; ++next) values.add_null();
    if (picked[i] == UINT32_MAX)
      values.add_null();
    else
      values.add(items, picked[i]);
    ++i;
    ++next;
  }
  for (; next < call.length; ++next) values.add_null();
  call.out.resize(0);
  append_rows(*values.column(), nullptr, call.length, call.out, nullptr);
}

template <int kWanted>
void extreme_element_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  std::vector<uint32_t> picked;
  for (uint32_t row : call.rows) {
    uint32_t best = UINT32_MAX;
    for (uint32_t at = list.is_null(row) ? 0 : list.begin(row); !list.is_null(row) && at < list.end(row); ++at) {
      if (list.items().is_null(at)) continue;
      bool better =
          best == UINT32_MAX || compare_values(element_type(call), list.items(), at, list.items(), best) == kWanted;
      if (better) best = at;
    }
    picked.push_back(best);
  }
  put_elements(call, list.items(), picked);
}

void single_element_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  std::vector<uint32_t> picked;
  for (uint32_t row : call.rows) {
    uint32_t size = list.is_null(row) ? 0 : list.size(row);
    if (size > 1) call.errors.add(row, fmt::format("ELEMENT of an array with {} elements", size));
    picked.push_back(size == 1 ? list.begin(row) : UINT32_MAX);
  }
  put_elements(call, list.items(), picked);
}

/// (array of texts, separator[, text for NULL]).
void join_kernel(const KernelArgs& call) {
  ListReader list(call, 0);
  TextReader separator(call, 1);
  for (uint32_t row : call.rows) {
    std::string out;
    bool first = true;
    for (uint32_t at = list.begin(row); at < list.end(row); ++at) {
      bool null = list.items().is_null(at);
      if (null && call.args.size() < 3) continue;
      if (!first) out += separator.text(row);
      first = false;
      out += null ? TextReader(call, 2).text(row) : list.items().values<StringRef>()[at].view();
    }
    put_text(call, row, out);
  }
}

bool is_array(const TypePtr& type) { return type->kind == TypeKind::kArray; }

/// Arrays that are brought to one element type.
ResolveFunction resolve_same_arrays(std::string name, size_t least, size_t most) {
  return [=](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    TypePtr common = types.size() >= least && types.size() <= most ? least_restrictive(types) : nullptr;
    if (!common || !is_array(common)) return argument_error(name, types, "arrays of one type");
    return ResolvedCall{common, std::vector<TypePtr>(types.size(), common), nullptr};
  };
}

/// (array, element): the element is brought to the array's type, the array to hold it where it is part of the result.
ResolveFunction resolve_with_element(std::string name, bool merge, TypePtr result) {
  return [=](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    TypePtr element =
        types.size() == 2 && is_array(types[0]) ? least_restrictive(types[0]->children[0], types[1]) : nullptr;
    if (!element) return argument_error(name, types, name + "(array, element)");
    TypePtr array =
        make_array(merge ? element : with_nullable(element, types[0]->children[0]->nullable), types[0]->nullable);
    TypePtr type = result ? with_nullable(result, types[0]->nullable) : array;
    return ResolvedCall{type, {array, with_nullable(element, types[1]->nullable)}, nullptr};
  };
}

ResolveFunction resolve_one_array(std::string name, bool element_result) {
  return [=](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.size() != 1 || !is_array(types[0])) return argument_error(name, types, name + "(array)");
    TypePtr type = element_result ? with_nullable(types[0]->children[0], true) : types[0];
    return ResolvedCall{type, {types[0]}, nullptr};
  };
}

Result<ResolvedCall> resolve_sort(ArgTypes types, ArgLiterals) {
  bool fits = !types.empty() && types.size() <= 3 && is_array(types[0]) &&
              types[0]->children[0]->physical() < PhysicalType::kList;
  for (size_t i = 1; i < types.size(); ++i) fits = fits && types[i]->kind == TypeKind::kBoolean;
  if (!fits) return argument_error("ARRAY_SORT", types, "ARRAY_SORT(array[, ascending[, nulls first]])");
  return ResolvedCall{with_nullable(types[0], any_nullable(types)), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_slice(ArgTypes types, ArgLiterals) {
  bool fits = types.size() >= 2 && types.size() <= 3 && is_array(types[0]);
  for (size_t i = 1; i < types.size(); ++i) fits = fits && types[i]->is_integer();
  if (!fits) return argument_error("ARRAY_SLICE", types, "ARRAY_SLICE(array, start[, end])");
  return ResolvedCall{with_nullable(types[0], any_nullable(types)), {types.begin(), types.end()}, nullptr};
}

Result<ResolvedCall> resolve_join(ArgTypes types, ArgLiterals) {
  bool fits = types.size() >= 2 && types.size() <= 3 && is_array(types[0]) && types[0]->children[0]->is_text();
  for (size_t i = 1; i < types.size(); ++i) fits = fits && types[i]->is_text();
  if (!fits) return argument_error("ARRAY_JOIN", types, "ARRAY_JOIN(array of texts, separator[, text for NULL])");
  return ResolvedCall{make_string(any_nullable(types)), {types.begin(), types.end()}, nullptr};
}

}  // namespace

void register_arrays(FunctionRegistry& registry) {
  FunctionTraits sees_nulls{false, true};
  auto set = [&](std::string name, KernelFunction kernel, std::string help) {
    add_function(registry, name, resolve_same_arrays(name, 2, 2), kernel, std::move(help), sees_nulls);
  };
  set("ARRAY_UNION", set_kernel<SetOperation::kUnion>, "elements of both, once");
  set("ARRAY_EXCEPT", set_kernel<SetOperation::kExcept>, "elements of the first that are not in the second");
  set("ARRAY_INTERSECT", set_kernel<SetOperation::kIntersect>, "elements of both");
  add_function(registry, "ARRAY_DISTINCT", resolve_one_array("ARRAY_DISTINCT", false),
               set_kernel<SetOperation::kDistinct>, "each element once", sees_nulls);
  add_function(registry, "ARRAY_CONCAT", resolve_same_arrays("ARRAY_CONCAT", 1, SIZE_MAX), concat_arrays_kernel,
               "one after the other", sees_nulls);
  add_function(registry, "ARRAY_REVERSE", resolve_one_array("ARRAY_REVERSE", false), reverse_array_kernel, "backwards",
               sees_nulls);
  add_function(registry, "ARRAY_SORT", resolve_sort, sort_kernel, "in order", sees_nulls);
  add_function(registry, "ARRAY_SLICE", resolve_slice, slice_kernel, "a part", sees_nulls);
  add_function(registry, "ARRAY_APPEND", resolve_with_element("ARRAY_APPEND", true, nullptr),
               element_kernel<ElementOperation::kAppend>, "with an element at the end", sees_nulls);
  add_function(registry, "ARRAY_PREPEND", resolve_with_element("ARRAY_PREPEND", true, nullptr),
               element_kernel<ElementOperation::kPrepend>, "with an element in front", sees_nulls);
  add_function(registry, "ARRAY_REMOVE", resolve_with_element("ARRAY_REMOVE", false, nullptr),
               element_kernel<ElementOperation::kRemove>, "without an element", sees_nulls);
  add_function(registry, "ARRAY_CONTAINS", resolve_with_element("ARRAY_CONTAINS", false, make_type(TypeKind::kBoolean)),
               contains_kernel, "has an element", sees_nulls);
  add_function(registry, "ARRAY_POSITION", resolve_with_element("ARRAY_POSITION", false, make_type(TypeKind::kInt)),
               position_element_kernel, "position of an element from 1", sees_nulls);
  add_function(registry, "ARRAY_MIN", resolve_one_array("ARRAY_MIN", true), extreme_element_kernel<-1>,
               "the least element", sees_nulls);
  add_function(registry, "ARRAY_MAX", resolve_one_array("ARRAY_MAX", true), extreme_element_kernel<1>,
               "the greatest element", sees_nulls);
  add_function(registry, "ELEMENT", resolve_one_array("ELEMENT", true), single_element_kernel, "the only element",
               sees_nulls);
  add_function(registry, "ARRAY_JOIN", resolve_join, join_kernel, "the texts in one");
}

}  // namespace millrace
