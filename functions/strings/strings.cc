// Case, length, trimming and parts of texts.
#include "functions/strings/strings.h"

#include <algorithm>

#include "functions/register_all.h"
#include "functions/signature.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

TypePtr same_as_first(ArgTypes types) { return types[0]; }
TypePtr varying_as_first(ArgTypes types) {
  return make_text(TypeKind::kVarchar, types[0]->precision, types[0]->nullable);
}
TypePtr varying_as_second(ArgTypes types) {
  return make_text(TypeKind::kVarchar, types[1]->precision, types[0]->nullable || types[1]->nullable);
}

template <std::string (*kFunction)(std::string_view)>
void map_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) put_text(call, row, kFunction(a.text(row)));
}

/// Letters and digits are ASCII here, as in Flink: other characters separate words and stay.
std::string initcap(std::string_view text) {
  std::string out(text);
  bool inside = false;
  for (char& c : out) {
    bool lower = c >= 'a' && c <= 'z';
    bool upper = c >= 'A' && c <= 'Z';
    if (lower && !inside) c = static_cast<char>(c - 'a' + 'A');
    if (upper && inside) c = static_cast<char>(c - 'A' + 'a');
    inside = lower || upper || (c >= '0' && c <= '9');
  }
  return out;
}

std::string reverse(std::string_view text) {
  std::vector<std::string_view> characters = utf8_characters(text);
  std::string out;
  for (auto it = characters.rbegin(); it != characters.rend(); ++it) out += *it;
  return out;
}

void char_length_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  int32_t* out = call.out.values<int32_t>();
  for (uint32_t row : call.rows) out[row] = static_cast<int32_t>(utf8_length(a.text(row)));
}

void octet_length_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  int32_t* out = call.out.values<int32_t>();
  for (uint32_t row : call.rows) out[row] = static_cast<int32_t>(a.text(row).size());
}

bool contains_character(std::string_view set, std::string_view character) {
  for (size_t at = 0; at < set.size(); at += utf8_width(set, at)) {
    if (set.substr(at, utf8_width(set, at)) == character) return true;
  }
  return false;
}

std::string_view trim_characters(std::string_view text, std::string_view set, bool leading, bool trailing) {
  while (leading && !text.empty()) {
    size_t width = utf8_width(text, 0);
    if (!contains_character(set, text.substr(0, width))) break;
    text.remove_prefix(width);
  }
  while (trailing && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!contains_character(set, text.substr(start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

/// TRIM's form: (characters, text).
template <bool kLeading, bool kTrailing>
void trim_from_kernel(const KernelArgs& call) {
  TextReader set(call, 0);
  TextReader a(call, 1);
  for (uint32_t row : call.rows) put_slice(call, row, trim_characters(a.text(row), set.text(row), kLeading, kTrailing));
}

/// LTRIM, RTRIM, BTRIM: (text[, characters]).
template <bool kLeading, bool kTrailing>
void trim_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  const bool has_set = call.args.size() > 1;
  for (uint32_t row : call.rows) {
    std::string_view set = has_set ? TextReader(call, 1).text(row) : std::string_view(" ");
    put_slice(call, row, trim_characters(a.text(row), set, kLeading, kTrailing));
  }
}

/// 1-based start; 0 acts like 1, negative counts from the end; a negative length is NULL.
void substring_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader start(call, 1);
  const bool has_length = call.args.size() > 2;
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    int64_t from = start[row];
    int64_t count = has_length ? IntegerReader(call, 2)[row] : INT32_MAX;
    if (count < 0) {
      call.out.set_null(row);
      continue;
    }
    if (from < 0) {
      from += static_cast<int64_t>(utf8_length(text));
      if (from < 0) {  // starts before the text: the part before it counts
        count = std::max<int64_t>(0, count + from);
        from = 0;
      }
    } else if (from > 0) {
      --from;
    }
    put_slice(call, row, utf8_slice(text, static_cast<size_t>(from), static_cast<size_t>(count)));
  }
}

void left_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader count(call, 1);
  for (uint32_t row : call.rows) {
    put_slice(call, row, utf8_slice(a.text(row), 0, static_cast<size_t>(std::max<int64_t>(0, count[row]))));
  }
}

void right_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader count(call, 1);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    auto length = static_cast<int64_t>(utf8_length(text));
    int64_t skip = std::max<int64_t>(0, length - std::max<int64_t>(0, count[row]));
    put_slice(call, row, utf8_slice(text, static_cast<size_t>(skip), SIZE_MAX));
  }
}

template <std::string (*kFunction)(std::string_view)>
void add_map(FunctionRegistry& registry, std::string name, std::string help) {
  add_typed(
      registry,
      {.name = std::move(name), .args = {ArgClass::kText}, .kernel = map_kernel<kFunction>, .help = std::move(help)},
      same_as_first);
}

void register_trims(FunctionRegistry& registry) {
  auto trim_from = [&](std::string name, KernelFunction kernel) {
    add_typed(registry,
              {.name = std::move(name),
               .args = {ArgClass::kText, ArgClass::kText},
               .kernel = kernel,
               .help = "TRIM([BOTH|LEADING|TRAILING] [chars] FROM text)"},
              varying_as_second);
  };
  trim_from("TRIM BOTH", trim_from_kernel<true, true>);
  trim_from("TRIM LEADING", trim_from_kernel<true, false>);
  trim_from("TRIM TRAILING", trim_from_kernel<false, true>);
  auto trim = [&](std::string name, KernelFunction kernel, bool always_string) {
    auto resolve = [name, always_string](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
      PlainFunction shape{.name = name, .args = {ArgClass::kText, ArgClass::kText}, .optional = 1};
      MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
      TypePtr type = always_string ? make_string(false) : varying_as_first(targets);
      return ResolvedCall{with_nullable(type, any_nullable(targets)), std::move(targets), nullptr};
    };
    add_function(registry, name, resolve, kernel, "without the characters (blanks) at the end");
  };
  trim("LTRIM", trim_kernel<true, false>, false);
  trim("RTRIM", trim_kernel<false, true>, false);
  trim("BTRIM", trim_kernel<true, true>, true);
}

}  // namespace

void register_strings(FunctionRegistry& registry) {
  add_map<utf8_upper>(registry, "UPPER", "in capitals");
  add_map<utf8_lower>(registry, "LOWER", "in small letters");
  add_map<initcap>(registry, "INITCAP", "each word with a capital");
  add_plain(registry, {.name = "REVERSE",
                       .args = {ArgClass::kText},
                       .result = make_string(false),
                       .kernel = map_kernel<reverse>,
                       .help = "backwards"});
  TypePtr integer = make_type(TypeKind::kInt, false);
  for (const char* name : {"CHAR_LENGTH", "CHARACTER_LENGTH", "LENGTH"}) {
    add_plain(registry, {.name = name,
                         .args = {ArgClass::kText},
                         .result = integer,
                         .kernel = char_length_kernel,
                         .help = "number of characters"});
  }
  add_plain(registry, {.name = "OCTET_LENGTH",
                       .args = {ArgClass::kTextOrBytes},
                       .result = integer,
                       .kernel = octet_length_kernel,
                       .help = "number of bytes"});
  for (const char* name : {"SUBSTRING", "SUBSTR"}) {
    add_typed(registry,
              {.name = name,
               .args = {ArgClass::kText, ArgClass::kInteger, ArgClass::kInteger},
               .optional = 1,
               .kernel = substring_kernel,
               .help = "SUBSTRING(text FROM start [FOR length])",
               .nullable_result = true},
              varying_as_first);
  }
  for (bool left : {true, false}) {
    add_typed(registry,
              {.name = left ? "LEFT" : "RIGHT",
               .args = {ArgClass::kText, ArgClass::kInteger},
               .kernel = left ? left_kernel : right_kernel,
               .help = "the first or last characters",
               .nullable_result = true},
              varying_as_first);
  }
  register_trims(registry);
  register_string_edit(registry);
  register_string_search(registry);
  register_string_codes(registry);
}

}  // namespace millrace
