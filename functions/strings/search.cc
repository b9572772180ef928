// Positions, prefixes, and LIKE.
#include <algorithm>

#include "functions/signature.h"
#include "functions/strings/like.h"
#include "functions/strings/strings.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// 1-based character position of the first occurrence at or after character `from` (1-based); 0 when there is none.
int64_t position_of(std::string_view needle, std::string_view text, int64_t from) {
  if (from < 1) return 0;
  size_t start = utf8_offset(text, static_cast<size_t>(from - 1));
  size_t at = text.find(needle, start);
  if (at == std::string_view::npos) return 0;
  return static_cast<int64_t>(utf8_length(text.substr(0, at))) + 1;
}

/// POSITION, LOCATE: (needle, text[, from]).
void position_kernel(const KernelArgs& call) {
  TextReader needle(call, 0);
  TextReader a(call, 1);
  int32_t* out = call.out.values<int32_t>();
  for (uint32_t row : call.rows) {
    int64_t from = call.args.size() > 2 ? IntegerReader(call, 2)[row] : 1;
    out[row] = static_cast<int32_t>(position_of(needle.text(row), a.text(row), from));
  }
}

/// INSTR(text, needle[, from[, nth]]): a negative start searches backwards.
int64_t instr(std::string_view text, std::string_view needle, int64_t from, int64_t nth) {
  std::vector<std::string_view> characters = utf8_characters(text);
  auto length = static_cast<int64_t>(characters.size());
  if (from == 0 || nth <= 0 || from > length || -from > length) return 0;
  bool backwards = from < 0;
  int64_t at = backwards ? length + from : from - 1;
  for (; at >= 0 && at < length; at += backwards ? -1 : 1) {
    std::string_view rest = text.substr(static_cast<size_t>(characters[static_cast<size_t>(at)].data() - text.data()));
    if (rest.starts_with(needle) && --nth == 0) return at + 1;
  }
  return 0;
}

void instr_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader needle(call, 1);
  int32_t* out = call.out.values<int32_t>();
  for (uint32_t row : call.rows) {
    int64_t from = call.args.size() > 2 ? IntegerReader(call, 2)[row] : 1;
    int64_t nth = call.args.size() > 3 ? IntegerReader(call, 3)[row] : 1;
    out[row] = static_cast<int32_t>(instr(a.text(row), needle.text(row), from, nth));
  }
}

template <bool kStart>
void edge_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader part(call, 1);
  uint8_t* out = call.out.values<uint8_t>();
  for_rows(call.rows, [&](uint32_t row) {
    out[row] = (kStart ? a.text(row).starts_with(part.text(row)) : a.text(row).ends_with(part.text(row))) ? 1 : 0;
  });
}

void like_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  if (call.bound != nullptr) {
    const auto& pattern = *static_cast<const LikePattern*>(call.bound);
    for_rows(call.rows, [&](uint32_t row) { out[row] = pattern.matches(a.text(row)) ? 1 : 0; });
    return;
  }
  TextReader patterns(call, 1);
  for (uint32_t row : call.rows) {
    std::string_view escape = call.args.size() > 2 ? TextReader(call, 2).text(row) : std::string_view();
    auto pattern = LikePattern::compile(patterns.text(row), escape);
    if (pattern) {
      out[row] = pattern->matches(a.text(row)) ? 1 : 0;
    } else {
      call.fail(row, pattern.error().message);
    }
  }
}

Result<ResolvedCall> resolve_like(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "LIKE", .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText}, .optional = 1};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  ResolvedCall resolved{make_type(TypeKind::kBoolean, any_nullable(targets)), std::move(targets), nullptr};
  const std::string* pattern = literal_text(literals, 1);
  const std::string* escape = literal_text(literals, 2);
  if (pattern != nullptr && (types.size() == 2 || escape != nullptr)) {
    // Flink's shortcut for literal patterns lets the empty one match everything.
    MR_ASSIGN(LikePattern compiled,
              LikePattern::compile(pattern->empty() ? "%" : *pattern, escape != nullptr ? *escape : ""));
    resolved.bound = std::make_shared<const LikePattern>(std::move(compiled));
  }
  return resolved;
}

}  // namespace

void register_string_search(FunctionRegistry& registry) {
  TypePtr integer = make_type(TypeKind::kInt, false);
  for (const char* name : {"POSITION", "LOCATE"}) {
    add_plain(registry, {.name = name,
                         .args = {ArgClass::kText, ArgClass::kText, ArgClass::kInteger},
                         .optional = 1,
                         .result = integer,
                         .kernel = position_kernel,
                         .help = "position of a text in another, from 1; 0 when it is not there"});
  }
  add_plain(registry, {.name = "INSTR",
                       .args = {ArgClass::kText, ArgClass::kText, ArgClass::kInteger, ArgClass::kInteger},
                       .optional = 2,
                       .result = integer,
                       .kernel = instr_kernel,
                       .help = "INSTR(text, part[, start[, nth]])"});
  TypePtr boolean = make_type(TypeKind::kBoolean, false);
  add_plain(registry, {.name = "STARTSWITH",
                       .args = {ArgClass::kTextOrBytes, ArgClass::kTextOrBytes},
                       .result = boolean,
                       .kernel = edge_kernel<true>,
                       .help = "whether a text begins with another"});
  add_plain(registry, {.name = "ENDSWITH",
                       .args = {ArgClass::kTextOrBytes, ArgClass::kTextOrBytes},
                       .result = boolean,
                       .kernel = edge_kernel<false>,
                       .help = "whether a text ends with another"});
  add_function(registry, "LIKE", resolve_like, like_kernel, "text LIKE pattern [ESCAPE character]");
}

}  // namespace millrace
