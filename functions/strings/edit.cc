// Concatenation, padding, replacing, repeating, splitting.
#include <fmt/format.h>

#include <algorithm>

#include "functions/signature.h"
#include "functions/strings/strings.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

constexpr int64_t kTextBytesMax = 64 * 1024 * 1024;

void concat_kernel(const KernelArgs& call) {
  std::string buffer;
  for (uint32_t row : call.rows) {
    buffer.clear();
    for (size_t i = 0; i < call.args.size(); ++i) buffer += TextReader(call, i).text(row);
    put_text(call, row, buffer);
  }
}

/// CHAR || CHAR is CHAR of both lengths, else VARCHAR; STRING stays STRING.
Result<ResolvedCall> resolve_concat_operator(ArgTypes types, ArgLiterals) {
  PlainFunction shape{.name = "||", .args = {ArgClass::kTextOrBytes, ArgClass::kTextOrBytes}};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  bool bytes = targets[0]->kind == TypeKind::kBytes;
  if (bytes != (targets[1]->kind == TypeKind::kBytes)) return argument_error("||", types, "two texts");
  bool nullable = any_nullable(targets);
  if (bytes) return ResolvedCall{make_type(TypeKind::kBytes, nullable), targets, nullptr};
  int64_t length = int64_t{targets[0]->precision} + targets[1]->precision;
  bool fixed = targets[0]->kind == TypeKind::kChar && targets[1]->kind == TypeKind::kChar;
  TypePtr type = make_text(fixed ? TypeKind::kChar : TypeKind::kVarchar,
                           static_cast<int>(std::min<int64_t>(length, kStringLengthMax)), nullable);
  return ResolvedCall{type, std::move(targets), nullptr};
}

/// NULL texts are left out; a NULL separator gives NULL.
void concat_ws_kernel(const KernelArgs& call) {
  TextReader separator(call, 0);
  std::string buffer;
  for (uint32_t row : call.rows) {
    if (separator.is_null(row)) {
      call.out.set_null(row);
      continue;
    }
    buffer.clear();
    bool first = true;
    for (size_t i = 1; i < call.args.size(); ++i) {
      TextReader part(call, i);
      if (part.is_null(row)) continue;
      if (!first) buffer += separator.text(row);
      first = false;
      buffer += part.text(row);
    }
    put_text(call, row, buffer);
  }
}

template <bool kLeft>
void pad_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader length(call, 1);
  TextReader pad(call, 2);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string_view filler = pad.text(row);
    int64_t wanted = length[row];
    if (wanted < 0 || filler.empty()) {
      call.out.set_null(row);
      continue;
    }
    if (wanted > kTextBytesMax) {
      call.fail(row, "the padded text would be too long");
      continue;
    }
    auto have = static_cast<int64_t>(utf8_length(text));
    if (have >= wanted) {
      put_slice(call, row, utf8_slice(text, 0, static_cast<size_t>(wanted)));
      continue;
    }
    auto missing = static_cast<size_t>(wanted - have);
    size_t filler_length = utf8_length(filler);
    std::string padding;
    for (size_t i = 0; i < missing / filler_length; ++i) padding += filler;
    padding += utf8_slice(filler, 0, missing % filler_length);
    put_text(call, row, kLeft ? padding + std::string(text) : std::string(text) + padding);
  }
}

void replace_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader search(call, 1);
  TextReader replacement(call, 2);
  std::string buffer;
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string_view needle = search.text(row);
    std::string_view with = replacement.text(row);
    buffer.clear();
    if (needle.empty()) {  // Java: before every character and at the end
      for (size_t at = 0; at < text.size();) {
        size_t width = utf8_width(text, at);
        buffer += with;
        buffer += text.substr(at, width);
        at += width;
      }
      buffer += with;
    } else {
      size_t from = 0;
      for (size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, from)) {
        buffer += text.substr(from, at - from);
        buffer += with;
        from = at + needle.size();
      }
      buffer += text.substr(from);
    }
    put_text(call, row, buffer);
  }
}

void translate_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader from(call, 1);
  TextReader to(call, 2);
  std::string buffer;
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::vector<std::string_view> sources =
        from.is_null(row) ? std::vector<std::string_view>{} : utf8_characters(from.text(row));
    std::vector<std::string_view> targets =
        to.is_null(row) ? std::vector<std::string_view>{} : utf8_characters(to.text(row));
    buffer.clear();
    for (size_t at = 0; at < text.size();) {
      std::string_view character = text.substr(at, utf8_width(text, at));
      at += character.size();
      auto found = static_cast<size_t>(std::ranges::find(sources, character) - sources.begin());
      if (found == sources.size()) {
        buffer += character;
      } else if (found < targets.size()) {
        buffer += targets[found];
      }
    }
    put_text(call, row, buffer);
  }
}

void repeat_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader count(call, 1);
  std::string buffer;
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    int64_t times = text.empty() ? 0 : std::max<int64_t>(0, count[row]);
    if (times > 0 && static_cast<int64_t>(text.size()) > kTextBytesMax / times) {
      call.fail(row, "the repeated text would be too long");
      continue;
    }
    buffer.clear();
    for (int64_t i = 0; i < times; ++i) buffer += text;
    put_text(call, row, buffer);
  }
}

/// OVERLAY(text PLACING part FROM start [FOR length]); positions outside leave the text as it is.
void overlay_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader part(call, 1);
  IntegerReader start(call, 2);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string_view inserted = part.text(row);
    int64_t from = start[row];
    int64_t count = call.args.size() > 3 ? IntegerReader(call, 3)[row] : static_cast<int64_t>(utf8_length(inserted));
    auto length = static_cast<int64_t>(utf8_length(text));
    if (from <= 0 || from > length) {
      put_slice(call, row, text);
      continue;
    }
    std::string out(utf8_slice(text, 0, static_cast<size_t>(from - 1)));
    out += inserted;
    if (count >= 0 && from - 1 + count <= length)
      out += utf8_slice(text, static_cast<size_t>(from - 1 + count), SIZE_MAX);
    put_text(call, row, out);
  }
}

TypePtr overlay_type(ArgTypes types) {
  int64_t length = int64_t{types[0]->precision} + types[1]->precision;
  return make_text(TypeKind::kVarchar, static_cast<int>(std::min<int64_t>(length, kStringLengthMax)),
                   any_nullable(types));
}

/// Parts between separators, empty ones kept; an empty separator splits into characters.
template <class F>
void for_each_part(std::string_view text, std::string_view separator, F&& f) {
  if (separator.empty()) {
    for (std::string_view character : utf8_characters(text)) f(character);
    return;
  }
  size_t from = 0;
  for (size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator, from)) {
    f(text.substr(from, at - from));
    from = at + separator.size();
  }
  f(text.substr(from));
}

void split_index_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader index(call, 2);
  const bool code = call.types[1]->is_integer();
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string separator;
    if (code) {
      utf8_append(separator, static_cast<char32_t>(IntegerReader(call, 1)[row]));
    } else {
      separator = TextReader(call, 1).text(row);
    }
    int64_t at = 0;
    bool found = false;
    // Flink's splitByWholeSeparatorPreserveAllTokens: no parts of an empty text; an empty separator means blanks.
    if (separator.empty()) separator = " ";
    if (!text.empty() && index[row] >= 0) {
      for_each_part(text, separator, [&](std::string_view part) {
        if (at++ != index[row]) return;
        put_slice(call, row, part);
        found = true;
      });
    }
    if (!found) call.out.set_null(row);
  }
}

Result<ResolvedCall> resolve_split_index(ArgTypes types, ArgLiterals) {
  bool fits = types.size() == 3 && (types[0]->is_text() || types[0]->kind == TypeKind::kNull) &&
              (types[1]->is_text() || types[1]->is_integer()) && types[2]->is_integer();
  if (!fits) return argument_error("SPLIT_INDEX", types, "SPLIT_INDEX(text, separator, index)");
  TypePtr text = types[0]->kind == TypeKind::kNull ? make_string() : types[0];
  return ResolvedCall{make_string(true), {text, types[1], types[2]}, nullptr};
}

void split_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader separator(call, 1);
  std::vector<StringRef> parts;
  ListWriter lists(call);
  for (uint32_t row : call.rows) {
    lists.start(row, parts.size());
    if (a.is_null(row) || separator.is_null(row)) {
      lists.set_null(row);
    } else {
      for_each_part(a.text(row), separator.text(row), [&](std::string_view part) { parts.emplace_back(part); });
    }
    lists.end(parts.size());
  }
  auto items = std::make_shared<Column>(PhysicalType::kString);
  items->resize(static_cast<uint32_t>(parts.size()));
  std::copy(parts.begin(), parts.end(), items->values<StringRef>());
  lists.finish(items);
}

Result<ResolvedCall> resolve_split(ArgTypes types, ArgLiterals) {
  PlainFunction shape{.name = "SPLIT", .args = {ArgClass::kText, ArgClass::kText}};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  return ResolvedCall{make_array(make_string(true), any_nullable(targets)), std::move(targets), nullptr};
}

}  // namespace

void register_string_edit(FunctionRegistry& registry) {
  TypePtr text = make_string(false);
  add_function(registry, "||", resolve_concat_operator, concat_kernel, "joins two texts");
  add_plain(registry, {.name = "CONCAT",
                       .args = {ArgClass::kText},
                       .result = text,
                       .kernel = concat_kernel,
                       .help = "joins texts",
                       .repeat_last = true});
  auto concat_ws = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    PlainFunction shape{
        .name = "CONCAT_WS", .args = {ArgClass::kText, ArgClass::kText}, .optional = 1, .repeat_last = true};
    MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
    return ResolvedCall{make_string(true), std::move(targets), nullptr};
  };
  add_function(registry, "CONCAT_WS", concat_ws, concat_ws_kernel, "joins texts with a separator", {false, true});
  for (bool left : {true, false}) {
    add_plain(registry, {.name = left ? "LPAD" : "RPAD",
                         .args = {ArgClass::kText, ArgClass::kInteger, ArgClass::kText},
                         .result = text,
                         .kernel = left ? pad_kernel<true> : pad_kernel<false>,
                         .help = "fills up to a length",
                         .nullable_result = true});
  }
  add_plain(registry, {.name = "REPLACE",
                       .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText},
                       .result = text,
                       .kernel = replace_kernel,
                       .help = "replaces all occurrences"});
  for (const char* name : {"TRANSLATE", "TRANSLATE3"}) {
    add_plain(registry, {.name = name,
                         .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText},
                         .result = text,
                         .kernel = translate_kernel,
                         .help = "replaces characters one by one"});
  }
  add_plain(registry, {.name = "REPEAT",
                       .args = {ArgClass::kText, ArgClass::kInteger},
                       .result = text,
                       .kernel = repeat_kernel,
                       .help = "n times"});
  add_typed(registry,
            {.name = "OVERLAY",
             .args = {ArgClass::kText, ArgClass::kText, ArgClass::kInteger, ArgClass::kInteger},
             .optional = 1,
             .kernel = overlay_kernel,
             .help = "OVERLAY(text PLACING part FROM start [FOR length])"},
            overlay_type);
  add_function(registry, "SPLIT_INDEX", resolve_split_index, split_index_kernel, "the part at an index, from 0");
  add_function(registry, "SPLIT", resolve_split, split_kernel, "SPLIT(text, separator): all parts");
}

}  // namespace millrace
