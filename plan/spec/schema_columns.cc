#include "plan/spec/schema_columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "plan/option_reader.h"

namespace millrace {

namespace {

bool schema_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool same_word(std::string_view word, std::string_view upper) {
  return std::ranges::equal(word, upper, [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 32 : a) == b; });
}

bool unbalanced(std::string_view text) {
  return std::ranges::count(text, '(') != std::ranges::count(text, ')') ||
         std::ranges::count(text, '<') != std::ranges::count(text, '>');
}

/// The types that a metadata column may have.
struct MetadataTypes {
  std::string_view name;
  std::vector<TypeKind> kinds;
  std::string_view text;
};

const MetadataTypes* find_metadata_types(std::string_view name) {
  static const std::vector<MetadataTypes> all{
      {"topic", {TypeKind::kVarchar}, "STRING"},
      {"path", {TypeKind::kVarchar}, "STRING"},
      {"partition", {TypeKind::kInt, TypeKind::kBigInt}, "INT or BIGINT"},
      {"offset", {TypeKind::kBigInt}, "BIGINT"},
      {"line", {TypeKind::kBigInt}, "BIGINT"},
      {"timestamp",
       {TypeKind::kTimestamp, TypeKind::kTimestampLtz, TypeKind::kBigInt},
       "TIMESTAMP, TIMESTAMP_LTZ or BIGINT"},
      {"key", {TypeKind::kBytes, TypeKind::kVarchar}, "BYTES or STRING"},
      {"headers", {TypeKind::kMap}, "MAP<STRING, BYTES>"},
  };
  auto found = std::ranges::find(all, name, &MetadataTypes::name);
  return found == all.end() ? nullptr : &*found;
}

/// The text of one schema entry, word by word.
class EntryText {
 public:
  explicit EntryText(const Located& value) : value_(value), text_(value.text) {}

  void skip(size_t bytes) { at_ += bytes; }
  bool done() {
    while (at_ < text_.size() && schema_blank(text_[at_])) ++at_;
    return at_ == text_.size();
  }
  std::string_view peek() {
    if (done()) return {};
    size_t end = at_;
    while (end < text_.size() && !schema_blank(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  std::string_view word() {
    const std::string_view word = peek();
    at_ += word.size();
    return word;
  }
  /// 'quoted text', a quote inside doubled; nothing when it is not closed.
  std::optional<std::string> quoted() {
    std::string out;
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] != '\'') {
        out.push_back(text_[i]);
      } else if (i + 1 < text_.size() && text_[i + 1] == '\'') {
        out.push_back(text_[i++]);
      } else {
        at_ = i + 1;
        return out;
      }
    }
    return std::nullopt;
  }
  std::string_view rest() {
    if (done()) return {};
    const std::string_view rest = text_.substr(at_);
    at_ = text_.size();
    return rest;
  }
  [[nodiscard]] size_t offset() const { return at_; }
  /// The rest as a value of its own, with its place.
  Located located_rest() {
    (void)done();
    Located part = value_;
    part.content = part.position = position_in(value_, at_);
    if (value_.mapping == Located::Mapping::kBlock) part.mapping = Located::Mapping::kLine;
    part.text = std::string(rest());
    return part;
  }

 private:
  const Located& value_;
  std::string_view text_;
  size_t at_ = 0;
};

class ColumnReader {
 public:
  ColumnReader(SpecContext& context, const ConnectorDescriptor& connector) : context_(context), connector_(connector) {}

  bool read(const Located::Entry& entry, std::vector<SourceColumn>& columns) {
    if (entry.value.kind != Located::Kind::kScalar) return wrong_shape(entry);
    EntryText text(entry.value);
    size_t consumed = 0;
    auto type = parse_type(entry.value.text, &consumed);
    if (!type) return bad_type(entry, type.error());
    column_ = SourceColumn{};
    column_.name = entry.key;
    column_.position = entry.key_position;
    column_.type = *type;
    column_.path = {entry.key};
    text.skip(consumed);
    while (!text.done()) {
      if (!clause(entry, text)) return false;
    }
    columns.push_back(std::move(column_));
    return true;
  }

  /// Texts of computed columns with their index, to be compiled when all columns are known.
  [[nodiscard]] const std::vector<std::pair<size_t, Located>>& computed() const { return computed_; }
  void note_computed(size_t index) {
    if (pending_) computed_.emplace_back(index, std::move(*pending_));
    pending_.reset();
  }

 private:
  bool fail(const Located& value, size_t offset, size_t length, std::string message, std::string help = {},
            ErrorCode code = ErrorCode::kBadValue) {
    const bool mapped = value.mapping != Located::Mapping::kNone;
    context_.diagnostics.error(code, mapped ? position_in(value, offset) : value.position, std::move(message),
                               std::move(help), mapped ? std::max(1, static_cast<int>(length)) : 1);
    return false;
  }

  bool wrong_shape(const Located::Entry& entry) {
    context_.diagnostics.error(
        ErrorCode::kWrongShape, entry.value.position,
        fmt::format("column `{}` needs a type, not {}", entry.key, describe_kind(entry.value)),
        "write `name: TYPE`; types with commas inside `{…}` need quotes: `{amount: \"DECIMAL(10,2)\"}`");
    return false;
  }

  bool bad_type(const Located::Entry& entry, const Error& error) {
    if (unbalanced(entry.value.text)) {
      return fail(entry.value, 0, entry.value.text.size(), error.message,
                  "types with commas inside `{…}` need quotes: `{amount: \"DECIMAL(10,2)\"}`", ErrorCode::kUnknownType);
    }
    return fail(entry.value, 0, entry.value.text.size(), error.message, error.help, ErrorCode::kUnknownType);
  }

  bool clause(const Located::Entry& entry, EntryText& text) {
    const std::string_view word = text.peek();
    const size_t at = text.offset();
    if (same_word(word, "FROM")) {
      text.word();
      return from_clause(entry, text);
    }
    if (same_word(word, "AS")) {
      text.word();
      column_.kind = SourceColumn::Kind::kComputed;
      column_.path.clear();
      pending_ = text.located_rest();
      return !pending_->text.empty() || fail(entry.value, at, 2, "an expression is missing behind AS");
    }
    if (same_word(word, "METADATA")) {
      text.word();
      return metadata_clause(entry, text);
    }
    if (same_word(word, "NOT")) {
      text.word();
      if (!same_word(text.word(), "NULL")) return fail(entry.value, at, 3, "NOT must be followed by NULL");
      column_.type = with_nullable(column_.type, false);
      return true;
    }
    if (!connector_.uses_format) {
      column_.generator = std::string(text.rest());
      return true;
    }
    return fail(entry.value, at, word.size(),
                fmt::format("`{}` behind the type of column `{}` is not understood", word, entry.key),
                "a type may be followed by NOT NULL, FROM …, AS … or METADATA …");
  }

  bool from_clause(const Located::Entry& entry, EntryText& text) {
    if (text.done())
      return fail(entry.value, 0, 1, "FROM needs epoch_millis, epoch_seconds, iso8601, 'pattern' or path");
    const size_t at = text.offset();
    if (text.peek().front() == '\'') {
      std::optional<std::string> pattern = text.quoted();
      if (!pattern || pattern->empty()) return fail(entry.value, at, 1, "the pattern behind FROM is not closed");
      column_.time_format = std::move(*pattern);
      return temporal(entry, at);
    }
    const std::string_view word = text.word();
    if (word == "path") return path_clause(entry, text);
    if (word != "epoch_millis" && word != "epoch_seconds" && word != "iso8601") {
      return fail(entry.value, at, word.size(), fmt::format("FROM {} is not understood", word),
                  "FROM epoch_millis, epoch_seconds, iso8601, 'yyyy-MM-dd HH:mm:ss' or path a.b");
    }
    column_.time_format = std::string(word);
    return temporal(entry, at);
  }

  bool temporal(const Located::Entry& entry, size_t at) {
    if (column_.type->is_temporal()) return true;
    return fail(entry.value, at, 1,
                fmt::format("FROM with a form of time needs a TIMESTAMP, DATE or TIME column, not {}",
                            column_.type->to_string()),
                {}, ErrorCode::kTypeMismatch);
  }

  bool path_clause(const Located::Entry& entry, EntryText& text) {
    (void)text.done();
    const size_t at = text.offset();
    const std::string_view word = text.word();
    column_.path.clear();
    std::string_view rest = word;
    while (true) {
      const size_t dot = rest.find('.');
      column_.path.emplace_back(rest.substr(0, dot));
      if (column_.path.back().empty()) {
        return fail(entry.value, at, word.size(), "a path is names joined by dots, such as `user.id`");
      }
      if (dot == std::string_view::npos) return true;
      rest.remove_prefix(dot + 1);
    }
  }

  bool metadata_clause(const Located::Entry& entry, EntryText& text) {
    (void)text.done();
    const size_t at = text.offset();
    const std::string_view word = text.word();
    column_.kind = SourceColumn::Kind::kMetadata;
    column_.path.clear();
    column_.metadata = std::string(word);
    const std::vector<std::string>& known = connector_.metadata_columns;
    if (std::ranges::find(known, word) != known.end()) return metadata_type(entry);
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    return fail(entry.value, at, word.size(), fmt::format("`{}` has no metadata `{}`", connector_.name, word),
                names.empty() ? "it has no metadata" : "it has: " + names);
  }

  bool metadata_type(const Located::Entry& entry) {
    const MetadataTypes* types = find_metadata_types(column_.metadata);
    if (types == nullptr || std::ranges::find(types->kinds, column_.type->kind) != types->kinds.end()) return true;
    return fail(
        entry.value, 0, entry.value.text.find(' '),
        fmt::format("the metadata `{}` is {}, not {}", column_.metadata, types->text, column_.type->to_string()), {},
        ErrorCode::kTypeMismatch);
  }

  SpecContext& context_;
  const ConnectorDescriptor& connector_;
  SourceColumn column_;
  std::optional<Located> pending_;
  std::vector<std::pair<size_t, Located>> computed_;
};

/// A computed column may read physical and metadata columns, and computed columns above it.
bool compile_computed(SpecContext& context, size_t index, const Located& text, std::vector<SourceColumn>& columns) {
  Scope scope;
  for (const SourceColumn& column : columns) scope.columns.push_back({"", column.name, column.type});
  scope.parameters = context.parameters;
  auto typed = compile_expression(text.text, scope, context.registry.functions);
  if (typed) typed = coerce_expression(*typed, columns[index].type);
  if (!typed) {
    context.diagnostics.expression(text, typed.error());
    return false;
  }
  std::vector<uint32_t> read;
  collect_columns(**typed, read);
  for (uint32_t column : read) {
    if (columns[column].kind != SourceColumn::Kind::kComputed || column < index) continue;
    context.diagnostics.error(ErrorCode::kBadPlan, text_position(text),
                              fmt::format("the computed column `{}` reads `{}`, which is computed after it",
                                          columns[index].name, columns[column].name),
                              "declare it above", text_length(text));
    return false;
  }
  columns[index].computed = std::move(*typed);
  return true;
}

}  // namespace

bool read_schema_columns(SpecContext& context, const Located& schema, const ConnectorDescriptor& connector,
                         std::vector<SourceColumn>& columns) {
  if (schema.kind != Located::Kind::kMap || schema.entries.empty()) {
    context.diagnostics.error(ErrorCode::kWrongShape, schema.position,
                              fmt::format("`schema` needs a mapping of columns, not {}", describe_kind(schema)),
                              "write `schema: {name: STRING, …}`");
    return false;
  }
  ColumnReader reader(context, connector);
  bool ok = true;
  bool after_unbalanced = false;
  for (const Located::Entry& entry : schema.entries) {
    // `{a: DECIMAL(10,2)}` is read by YAML as the entries `a: DECIMAL(10` and `2)`: one mistake, not two.
    if (after_unbalanced && entry.value.kind == Located::Kind::kNull) continue;
    after_unbalanced = entry.value.is_scalar() && unbalanced(entry.value.text);
    if (reader.read(entry, columns)) {
      reader.note_computed(columns.size() - 1);
    } else {
      ok = false;
    }
  }
  if (!ok) return false;
  for (const auto& [index, text] : reader.computed()) ok = compile_computed(context, index, text, columns) && ok;
  return ok;
}

}  // namespace millrace
