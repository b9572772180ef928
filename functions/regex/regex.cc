// REGEXP, REGEXP_EXTRACT and their family, and SIMILAR TO.
#include <fmt/format.h>

#include <algorithm>

#include "functions/regex/pattern.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// The pattern of each row: prepared at type checking when it is a literal, else compiled when it changes.
class RowPattern {
 public:
  RowPattern(const KernelArgs& call, size_t index) : call_(call), patterns_(call, index) {
    if (call.bound != nullptr) current_ = *static_cast<const RegexPatternPtr*>(call.bound);
  }
  /// Null when the row failed (the error is marked).
  const RegexPattern* at(uint32_t row) {
    if (call_.bound != nullptr) return current_.get();
    std::string_view text = patterns_.text(row);
    if (!current_ || text != text_) {
      auto compiled = RegexPattern::compile(text);
      if (!compiled) {
        current_ = nullptr;
        call_.fail(row, compiled.error().message);
        return nullptr;
      }
      current_ = *compiled;
      text_ = text;
    }
    return current_.get();
  }

 private:
  const KernelArgs& call_;
  TextReader patterns_;
  RegexPatternPtr current_;
  std::string text_;
};

void regexp_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowPattern patterns(call, 1);
  TextReader pattern_text(call, 1);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    const RegexPattern* pattern = patterns.at(row);
    if (pattern == nullptr) continue;
    // Flink: an empty pattern never matches.
    out[row] = !pattern_text.text(row).empty() && pattern->contains(a.text(row)) ? 1 : 0;
  }
}

void extract_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowPattern patterns(call, 1);
  std::vector<std::string_view> groups;
  for (uint32_t row : call.rows) {
    const RegexPattern* pattern = patterns.at(row);
    if (pattern == nullptr) continue;
    int64_t group = call.args.size() > 2 ? IntegerReader(call, 2)[row] : 0;
    bool found = group >= 0 && group <= pattern->groups() && pattern->find(a.text(row), 0, groups) &&
                 groups[static_cast<size_t>(group)].data() != nullptr;
    if (found) {
      put_slice(call, row, groups[static_cast<size_t>(group)]);
    } else {
      call.out.set_null(row);
    }
  }
}

/// The replacement is literal: Flink quotes it.
void replace_all_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowPattern patterns(call, 1);
  TextReader replacement(call, 2);
  std::vector<std::string_view> groups;
  for (uint32_t row : call.rows) {
    const RegexPattern* pattern = patterns.at(row);
    if (pattern == nullptr) continue;
    if (!pattern->valid()) {
      call.out.set_null(row);
      continue;
    }
    std::string_view text = a.text(row);
    std::string out;
    size_t from = 0;
    size_t copied = 0;
    while (from <= text.size() && pattern->find(text, from, groups)) {
      auto start = static_cast<size_t>(groups[0].data() - text.data());
      out += text.substr(copied, start - copied);
      out += replacement.text(row);
      copied = start + groups[0].size();
      from = copied;
      if (groups[0].empty()) from += from < text.size() ? utf8_width(text, from) : 1;
    }
    out += text.substr(std::min(copied, text.size()));
    put_text(call, row, out);
  }
}

/// Calls f(match groups) for each match from left to right.
template <class F>
void for_each_match(const RegexPattern& pattern, std::string_view text, F&& f) {
  std::vector<std::string_view> groups;
  size_t from = 0;
  while (from <= text.size() && pattern.find(text, from, groups)) {
    f(groups);
    auto end = static_cast<size_t>(groups[0].data() - text.data()) + groups[0].size();
    from = groups[0].empty() ? end + (end < text.size() ? utf8_width(text, end) : 1) : end;
  }
}

void count_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowPattern patterns(call, 1);
  int32_t* out = call.out.values<int32_t>();
  for (uint32_t row : call.rows) {
    const RegexPattern* pattern = patterns.at(row);
    if (pattern == nullptr) continue;
    if (!pattern->valid()) {
      call.out.set_null(row);
      continue;
    }
    int32_t count = 0;
    for_each_match(*pattern, a.text(row), [&](const auto&) { ++count; });
    out[row] = count;
  }
}

void instr_regexp_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowPattern patterns(call, 1);
  int32_t* out = call.out.values<int32_t>();
  std::vector<std::string_view> groups;
  for (uint32_t row : call.rows) {
    const RegexPattern* pattern = patterns.at(row);
    if (pattern == nullptr) continue;
    std::string_view text = a.text(row);
    if (!pattern->valid()) {
      call.out.set_null(row);
    } else if (!pattern->find(text, 0, groups)) {
      out[row] = 0;
    } else {
      auto start = static_cast<size_t>(groups[0].data() - text.data());
      out[row] = static_cast<int32_t>(utf8_length(text.substr(0, start))) + 1;
    }
  }
}

void extract_all_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader pattern_text(call, 1);
  RowPattern patterns(call, 1);
  std::vector<StringRef> parts;
  std::vector<bool> absent;
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, parts.size());
    bool null =
        a.is_null(row) || pattern_text.is_null(row) || (call.args.size() > 2 && IntegerReader(call, 2).is_null(row));
    const RegexPattern* pattern = null ? nullptr : patterns.at(row);
    int64_t group = null || call.args.size() < 3 ? 1 : IntegerReader(call, 2)[row];
    if (pattern == nullptr || !pattern->valid() || group < 0 || group > pattern->groups()) {
      lists.set_null(row);
      continue;
    }
    for_each_match(*pattern, a.text(row), [&](const std::vector<std::string_view>& groups) {
      parts.emplace_back(groups[static_cast<size_t>(group)]);
      absent.push_back(groups[static_cast<size_t>(group)].data() == nullptr);
    });
    lists.end(parts.size());
  }
  auto items = std::make_shared<Column>(PhysicalType::kString);
  items->resize(static_cast<uint32_t>(parts.size()));
  std::copy(parts.begin(), parts.end(), items->values<StringRef>());
  for (uint32_t i = 0; i < absent.size(); ++i) {
    if (absent[i]) items->set_null(i);
  }
  lists.finish(items);
}

void similar_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  const auto& pattern = *static_cast<const RegexPatternPtr*>(call.bound);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) out[row] = pattern->matches_whole(a.text(row)) ? 1 : 0;
}

/// Compiles a literal pattern (argument 1) at type checking.
ResolveFunction resolve_regex(std::string name, std::vector<ArgClass> args, size_t optional, TypePtr result) {
  return [=](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    PlainFunction shape{.name = name, .args = args, .optional = optional};
    MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
    TypePtr type = with_nullable(result, result->nullable || any_nullable(targets));
    ResolvedCall resolved{std::move(type), std::move(targets), nullptr};
    if (const std::string* pattern = literal_text(literals, 1)) {
      MR_ASSIGN(RegexPatternPtr compiled, RegexPattern::compile(*pattern));
      resolved.bound = std::make_shared<const RegexPatternPtr>(std::move(compiled));
    }
    return resolved;
  };
}

Result<ResolvedCall> resolve_similar(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "SIMILAR TO", .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText}, .optional = 1};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  const std::string* pattern = literal_text(literals, 1);
  const std::string* escape = literal_text(literals, 2);
  if (pattern == nullptr || (types.size() > 2 && escape == nullptr)) {
    return make_error(ErrorCode::kNotSupportedYet, "SIMILAR TO needs a literal pattern in this build", "use REGEXP");
  }
  MR_ASSIGN(RegexPatternPtr compiled, RegexPattern::compile_similar(*pattern, escape != nullptr ? *escape : ""));
  return ResolvedCall{make_type(TypeKind::kBoolean, any_nullable(targets)), std::move(targets),
                      std::make_shared<const RegexPatternPtr>(std::move(compiled))};
}

}  // namespace

void register_regex(FunctionRegistry& registry) {
  using enum ArgClass;
  auto add = [&](std::string name, std::vector<ArgClass> args, size_t optional, TypePtr result, KernelFunction kernel,
                 std::string help, FunctionTraits traits = {}) {
    add_function(registry, name, resolve_regex(name, std::move(args), optional, std::move(result)), kernel,
                 std::move(help), traits);
  };
  TypePtr text = make_string(true);
  add("REGEXP", {kText, kText}, 0, make_type(TypeKind::kBoolean, false), regexp_kernel, "REGEXP(text, pattern)");
  add("REGEXP_EXTRACT", {kText, kText, kInteger}, 1, text, extract_kernel, "REGEXP_EXTRACT(text, pattern[, group])");
  add("REGEXP_SUBSTR", {kText, kText}, 0, text, extract_kernel, "the first match");
  add("REGEXP_REPLACE", {kText, kText, kText}, 0, make_string(false), replace_all_kernel,
      "REGEXP_REPLACE(text, pattern, replacement)");
  add("REGEXP_COUNT", {kText, kText}, 0, make_type(TypeKind::kInt), count_kernel, "number of matches");
  add("REGEXP_INSTR", {kText, kText}, 0, make_type(TypeKind::kInt), instr_regexp_kernel, "position of the first match");
  add("REGEXP_EXTRACT_ALL", {kText, kText, kInteger}, 1, make_array(make_string(true), true), extract_all_kernel,
      "all matches of a group (1)", {false, true});
  add_function(registry, "SIMILAR TO", resolve_similar, similar_kernel, "text SIMILAR TO pattern [ESCAPE character]");
}

}  // namespace millrace
