// MAP_…: keys, values, entries, union; STR_TO_MAP.
#include <fmt/format.h>

#include <map>

#include "functions/collections/collections.h"
#include "functions/collections/gather.h"
#include "functions/compare/values.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

template <bool kKeys>
void part_kernel(const KernelArgs& call) {
  ListReader map(call, 0);
  ValueCollector items(*call.result_type->children[0]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, items.size());
    if (map.is_null(row)) {
      lists.set_null(row);
    } else {
      for (uint32_t at = map.begin(row); at < map.end(row); ++at) items.add(kKeys ? map.keys() : map.values(), at);
    }
    lists.end(items.size());
  }
  lists.finish(items.column());
}

void entries_kernel(const KernelArgs& call) {
  ListReader map(call, 0);
  const DataType& type = *call.result_type->children[0];
  ValueCollector keys(*type.children[0]);
  ValueCollector values(*type.children[1]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, keys.size());
    if (map.is_null(row)) lists.set_null(row);
    for (uint32_t at = map.is_null(row) ? 0 : map.begin(row); !map.is_null(row) && at < map.end(row); ++at) {
      keys.add(map.keys(), at);
      values.add(map.values(), at);
    }
    lists.end(keys.size());
  }
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->children() = {keys.column(), values.column()};
  entries->resize(keys.size());
  lists.finish(entries);
}

/// Later maps win; keys stay where they came first.
void union_kernel(const KernelArgs& call) {
  const DataType& type = *call.result_type;
  ValueCollector keys(*type.children[0]);
  ValueCollector values(*type.children[1]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, keys.size());
    if (any_argument_null(call, row)) {
      lists.set_null(row);
      continue;
    }
    struct Entry {
      size_t map;
      uint32_t key;
      size_t value_map;
      uint32_t value;
    };
    std::vector<Entry> entries;
    for (size_t i = 0; i < call.args.size(); ++i) {
      ListReader map(call, i);
      for (uint32_t at = map.begin(row); at < map.end(row); ++at) {
        Entry* known = nullptr;
        for (Entry& entry : entries) {
          ListReader other(call, entry.map);
          if (compare_values(*type.children[0], other.keys(), entry.key, map.keys(), at) == 0) known = &entry;
        }
        if (known != nullptr) {
          known->value_map = i;
          known->value = at;
        } else {
          entries.push_back({i, at, i, at});
        }
      }
    }
    for (const Entry& entry : entries) {
      keys.add(ListReader(call, entry.map).keys(), entry.key);
      values.add(ListReader(call, entry.value_map).values(), entry.value);
    }
    lists.end(keys.size());
  }
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->children() = {keys.column(), values.column()};
  entries->resize(keys.size());
  lists.finish(entries);
}

/// (keys, values): of a key that comes again the last value counts.
void from_arrays_kernel(const KernelArgs& call) {
  ListReader keys(call, 0);
  ListReader values(call, 1);
  const DataType& type = *call.result_type;
  ValueCollector out_keys(*type.children[0]);
  ValueCollector out_values(*type.children[1]);
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, out_keys.size());
    if (any_argument_null(call, row)) {
      lists.set_null(row);
      continue;
    }
    if (keys.size(row) != values.size(row)) {
      call.errors.add(row, fmt::format("MAP_FROM_ARRAYS: {} keys, {} values", keys.size(row), values.size(row)));
      lists.set_null(row);
      continue;
    }
    for (uint32_t i = 0; i < keys.size(row); ++i) {
      bool repeated = false;
      for (uint32_t k = i + 1; k < keys.size(row) && !repeated; ++k) {
        repeated = compare_values(*type.children[0], keys.items(), keys.begin(row) + i, keys.items(),
                                  keys.begin(row) + k) == 0;
      }
      if (repeated) continue;
      out_keys.add(keys.items(), keys.begin(row) + i);
      out_values.add(values.items(), values.begin(row) + i);
    }
    lists.end(out_keys.size());
  }
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->children() = {out_keys.column(), out_values.column()};
  entries->resize(out_keys.size());
  lists.finish(entries);
}

Result<ResolvedCall> resolve_from_arrays(ArgTypes types, ArgLiterals) {
  bool fits = types.size() == 2 && types[0]->kind == TypeKind::kArray && types[1]->kind == TypeKind::kArray;
  if (!fits) return argument_error("MAP_FROM_ARRAYS", types, "MAP_FROM_ARRAYS(array of keys, array of values)");
  TypePtr map = make_map(types[0]->children[0], types[1]->children[0], any_nullable(types));
  return ResolvedCall{map, {types.begin(), types.end()}, nullptr};
}

/// STR_TO_MAP(text[, pair separator[, key separator]]).
void str_to_map_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  std::vector<uint8_t> absent;
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, pairs.size());
    if (any_argument_null(call, row)) {
      lists.set_null(row);
      continue;
    }
    std::string_view pair_separator = call.args.size() > 1 ? TextReader(call, 1).text(row) : std::string_view(",");
    std::string_view key_separator = call.args.size() > 2 ? TextReader(call, 2).text(row) : std::string_view("=");
    if (pair_separator.empty() || key_separator.empty()) {
      call.errors.add(row, "the separators of STR_TO_MAP must not be empty");
      lists.set_null(row);
      continue;
    }
    std::map<std::string_view, size_t> known;
    std::string_view rest = a.text(row);
    while (!rest.empty()) {
      size_t end = std::min(rest.find(pair_separator), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest = end == rest.size() ? std::string_view() : rest.substr(end + pair_separator.size());
      size_t split = pair.find(key_separator);
      std::string_view key = pair.substr(0, split);
      bool without = split == std::string_view::npos;
      std::string_view value = without ? std::string_view() : pair.substr(split + key_separator.size());
      auto [at, fresh] = known.emplace(key, pairs.size());
      if (fresh) {
        pairs.emplace_back(key, value);
        absent.push_back(without ? 1 : 0);
      } else {
        pairs[at->second].second = value;
        absent[at->second] = without ? 1 : 0;
      }
    }
    lists.end(pairs.size());
  }
  auto count = static_cast<uint32_t>(pairs.size());
  auto keys = std::make_shared<Column>(PhysicalType::kString);
  auto values = std::make_shared<Column>(PhysicalType::kString);
  keys->resize(count);
  values->resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    keys->values<StringRef>()[i] = StringRef(pairs[i].first);
    values->values<StringRef>()[i] = StringRef(pairs[i].second);
    if (absent[i] != 0) values->set_null(i);
  }
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->children() = {keys, values};
  entries->resize(count);
  lists.finish(entries);
}

bool is_special_regex(std::string_view text) { return text.find_first_of("\\^$.|?*+()[]{}") != std::string_view::npos; }

Result<ResolvedCall> resolve_str_to_map(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "STR_TO_MAP", .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText}, .optional = 2};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  for (size_t i = 1; i < types.size(); ++i) {
    const std::string* separator = literal_text(literals, i);
    // Flink takes the separators as regular expressions.
    if (separator == nullptr || is_special_regex(*separator)) {
      return make_error(ErrorCode::kNotSupportedYet,
                        "STR_TO_MAP takes literal separators without the signs of regular expressions");
    }
  }
  return ResolvedCall{make_map(make_string(true), make_string(true), true), std::move(targets), nullptr};
}

ResolveFunction resolve_one_map(std::string name, TypePtr (*result)(const TypePtr& map)) {
  return [=](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.size() != 1 || types[0]->kind != TypeKind::kMap) return argument_error(name, types, name + "(map)");
    return ResolvedCall{with_nullable(result(types[0]), types[0]->nullable), {types[0]}, nullptr};
  };
}

}  // namespace

void register_maps(FunctionRegistry& registry) {
  FunctionTraits sees_nulls{false, true};
  auto keys = [](const TypePtr& map) { return make_array(map->children[0]); };
  auto values = [](const TypePtr& map) { return make_array(map->children[1]); };
  auto entries = [](const TypePtr& map) { return make_array(make_row({"key", "value"}, map->children, true)); };
  add_function(registry, "MAP_KEYS", resolve_one_map("MAP_KEYS", keys), part_kernel<true>, "all keys", sees_nulls);
  add_function(registry, "MAP_VALUES", resolve_one_map("MAP_VALUES", values), part_kernel<false>, "all values",
               sees_nulls);
  add_function(registry, "MAP_ENTRIES", resolve_one_map("MAP_ENTRIES", entries), entries_kernel,
               "rows of key and value", sees_nulls);
  auto merge = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    TypePtr common = types.empty() ? nullptr : least_restrictive(types);
    if (!common || common->kind != TypeKind::kMap) return argument_error("MAP_UNION", types, "maps of one type");
    return ResolvedCall{common, std::vector<TypePtr>(types.size(), common), nullptr};
  };
  add_function(registry, "MAP_UNION", merge, union_kernel, "all entries; later maps win", sees_nulls);
  add_function(registry, "MAP_FROM_ARRAYS", resolve_from_arrays, from_arrays_kernel, "keys and values put together",
               sees_nulls);
  add_function(registry, "STR_TO_MAP", resolve_str_to_map, str_to_map_kernel,
               "STR_TO_MAP(text[, pair separator[, key separator]])", sees_nulls);
}

}  // namespace millrace
