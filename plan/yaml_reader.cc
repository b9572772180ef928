#include "plan/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

namespace millrace {

namespace {

/// Byte positions of the text's lines, to turn yaml-cpp's marks (0-based, in bytes) into places for people.
class SourceText {
 public:
  explicit SourceText(std::string_view text) : text_(text) {
    line_starts_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
  }

  [[nodiscard]] size_t offset(const YAML::Mark& mark) const {
    if (mark.is_null()) return std::string_view::npos;
    const auto line = static_cast<size_t>(mark.line);
    if (line >= line_starts_.size()) return text_.size();
    return std::min(line_starts_[line] + static_cast<size_t>(mark.column), text_.size());
  }

  [[nodiscard]] Position position(size_t offset) const {
    if (offset == std::string_view::npos) return {};
    auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const size_t line = static_cast<size_t>(after - line_starts_.begin()) - 1;
    int column = 1;
    for (size_t i = line_starts_[line]; i < offset; ++i) {
      if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++column;
    }
    return {static_cast<int>(line) + 1, column};
  }
  [[nodiscard]] Position position(const YAML::Mark& mark) const { return position(offset(mark)); }

  [[nodiscard]] char at(size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }
  [[nodiscard]] bool starts_with(size_t offset, std::string_view prefix) const {
    return offset <= text_.size() && text_.substr(offset).starts_with(prefix);
  }

  /// The first byte of the content of a block scalar whose `|` stands at `offset`: behind the indentation of its first
  /// line that is not empty, moved to the block's first line.
  [[nodiscard]] Position block_content(size_t offset) const {
    auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const auto first = static_cast<size_t>(after - line_starts_.begin());
    for (size_t line = first; line < line_starts_.size(); ++line) {
      size_t i = line_starts_[line];
      while (i < text_.size() && text_[i] == ' ') ++i;
      if (i < text_.size() && text_[i] != '\n' && text_[i] != '\r') {
        return {static_cast<int>(first) + 1, static_cast<int>(i - line_starts_[line]) + 1};
      }
    }
    return {};
  }

 private:
  std::string_view text_;
  std::vector<size_t> line_starts_;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const SourceText& source, Diagnostics& diagnostics) : source_(source), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) return;
    Located value;
    value.position = source_.position(mark);
    remember(anchor, value);
    place(std::move(value));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) return;
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      fail(mark, "the alias stands inside its own anchor");
      return;
    }
    count(mark, found->second.second);
    if (stopped_) return;
    place(found->second.first);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (stopped_) return;
    const size_t offset = source_.offset(mark);
    Located value;
    value.kind = Located::Kind::kScalar;
    value.position = source_.position(offset);
    value.text = text;
    value.quoted = tag == "!";
    check_tag(mark, tag);
    // yaml-cpp reports only empty values and `null`, `~`, `Null`, `NULL` through OnNull.
    map_offsets(value, offset);
    remember(anchor, value);
    place(std::move(value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Located::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Located::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

  /// Nothing when a limit was passed: later events are ignored then.
  std::optional<Located> take() { return stopped_ ? std::nullopt : std::move(root_); }

 private:
  struct Frame {
    Located node;
    YAML::anchor_t anchor = 0;
    size_t nodes_before = 0;
    std::optional<Located> key;  // of a map: read, its value not yet
  };

  void fail(const YAML::Mark& mark, std::string message, std::string help = {}) {
    diagnostics_.error(ErrorCode::kYamlSyntax, source_.position(mark), std::move(message), std::move(help));
  }

  void count(const YAML::Mark& mark, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ <= kYamlNodesMax || stopped_) return;
    fail(mark, fmt::format("the file has more than {} values (aliases counted as often as used)", kYamlNodesMax));
    stopped_ = true;
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    const bool written = source_.at(source_.offset(mark)) == '!';
    if (!written && (tag.empty() || tag == "?" || tag == "!")) return;
    fail(mark, fmt::format("`{}` is read as a YAML tag, and tags are not part of a job file", tag),
         "put the value in quotes; in expressions write NOT instead of `!`");
  }

  void map_offsets(Located& value, size_t offset) const {
    const char first = source_.at(offset);
    if (first == '|') {
      value.mapping = Located::Mapping::kBlock;
      value.content = source_.block_content(offset);
      if (value.content.line == 0) value.mapping = Located::Mapping::kNone;
      return;
    }
    const size_t start = offset + (value.quoted && (first == '\'' || first == '"') ? 1 : 0);
    value.content = source_.position(start);
    if (value.text.find('\n') != std::string::npos) return;
    if (source_.starts_with(start, value.text)) {
      value.mapping = Located::Mapping::kLine;
    } else if (first == '\'' && value.quoted) {
      std::string doubled;
      for (char c : value.text) doubled.append(c == '\'' ? 2 : 1, c);
      if (source_.starts_with(start, doubled)) value.mapping = Located::Mapping::kSingleQuoted;
    }
  }

  void remember(YAML::anchor_t anchor, const Located& value, size_t nodes = 1) {
    if (anchor != 0) anchors_[anchor] = {value, nodes};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Located::Kind kind) {
    if (stopped_) return;
    check_tag(mark, tag);
    if (stack_.size() >= kYamlDepthMax) {
      fail(mark, fmt::format("values are nested deeper than {} levels", kYamlDepthMax));
      stopped_ = true;
      return;
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.position = source_.position(mark);
    frame.anchor = anchor;
    frame.nodes_before = nodes_;
    stack_.push_back(std::move(frame));
  }

  void close() {
    if (stopped_) return;
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    remember(frame.anchor, frame.node, nodes_ - frame.nodes_before + 1);
    place(std::move(frame.node));
  }

  void place(Located value) {
    count(YAML::Mark(), 1);
    if (stopped_) return;
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Located::Kind::kList) {
      frame.node.items.push_back(std::move(value));
    } else if (!frame.key) {
      frame.key = std::move(value);
    } else {
      Located key = std::move(*frame.key);
      frame.key.reset();
      add_entry(frame.node, std::move(key), std::move(value));
    }
  }

  void add_entry(Located& map, Located key, Located value) {
    if (key.kind != Located::Kind::kScalar) {
      const bool null = key.kind == Located::Kind::kNull;
      diagnostics_.error(ErrorCode::kYamlSyntax, key.position, null ? "a key is empty" : "a key must be a plain text");
      return;
    }
    const int length = std::max(1, static_cast<int>(key.text.size()));
    if (key.text == "<<" && !key.quoted) {
      diagnostics_.error(ErrorCode::kYamlSyntax, key.position, "merge keys (`<<`) are not part of a job file",
                         "write the fields out", length);
      return;
    }
    for (const Located::Entry& entry : map.entries) {
      if (entry.key != key.text) continue;
      diagnostics_.error(ErrorCode::kYamlDuplicateKey, key.position, fmt::format("duplicate key `{}`", key.text),
                         fmt::format("the first one is in line {}", entry.key_position.line), length);
      return;
    }
    // yaml-cpp places an empty value at the next token, which may be lines below.
    if (value.kind == Located::Kind::kNull) value.position = key.position;
    map.entries.push_back({std::move(key.text), key.position, std::move(value)});
  }

  const SourceText& source_;
  Diagnostics& diagnostics_;
  std::optional<Located> root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, std::pair<Located, size_t>> anchors_;
  size_t nodes_ = 0;
  bool stopped_ = false;
};

struct Translation {
  std::string_view original;
  std::string_view message;
  std::string_view help;
};

/// What yaml-cpp says, in words that name the usual cause.
constexpr Translation kTranslations[] = {
    {"illegal map value", "a value without quotes contains `: `, or the indentation does not fit",
     "put the value in quotes, or write it as a block behind `|`"},
    {"unexpected character in block scalar", "a value that starts with `>` or `|` is read as a block of text",
     "put the value in quotes"},
    {"unknown token", "a value cannot start with this character", "put the value in quotes"},
    {"illegal tab", "a tab stands where the indentation is", "indent with blanks"},
    {"end of map not found", "this line does not belong to the mapping above it",
     "check the indentation; a value that continues behind a closing quote needs quotes around all of it"},
    {"end of sequence not found", "this line does not belong to the list above it",
     "check the indentation; a value that continues behind a closing quote needs quotes around all of it"},
    {"end of map flow not found", "a `{` is not closed, or a value inside `{…}` needs quotes",
     "put values with `,` `{` `}` `[` `]` in quotes"},
    {"end of sequence flow not found", "a `[` is not closed, or a value inside `[…]` needs quotes",
     "put values with `,` `{` `}` `[` `]` in quotes"},
    {"alias not found after *", "a value that starts with `*` is read as an alias", "put the value in quotes"},
    {"illegal character found while scanning alias", "a value that starts with `*` is read as an alias",
     "put the value in quotes"},
    {"anchor not found after &", "a value that starts with `&` is read as an anchor", "put the value in quotes"},
    {"the referenced anchor is not defined",
     "a value that starts with `*` is read as an alias, and there is no such anchor", "put the value in quotes"},
    {"illegal EOF in scalar", "a quote is not closed", ""},
    {"illegal map key", "a key is not possible here", "check the indentation of this line and of the one above"},
    {"illegal block entry", "a list item (`- `) is not possible here", "check the indentation of this line"},
    {"illegal flow end", "a closing `}` or `]` has no opening one", ""},
};

void report_yaml_error(const YAML::Exception& error, const SourceText& source, Diagnostics& diagnostics) {
  std::string message = error.msg;
  std::string help;
  for (const Translation& translation : kTranslations) {
    if (!std::string_view(error.msg).starts_with(translation.original)) continue;
    message = translation.message;
    help = translation.help;
    break;
  }
  diagnostics.error(ErrorCode::kYamlSyntax, source.position(error.mark), message, help);
}

}  // namespace

std::optional<Located> read_yaml(std::string_view text, Diagnostics& diagnostics) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.size() > kYamlBytesMax) {
    diagnostics.error(ErrorCode::kYamlSyntax, {1, 1}, fmt::format("the file is larger than {} bytes", kYamlBytesMax));
    return std::nullopt;
  }
  const SourceText source(text);
  TreeBuilder builder(source, diagnostics);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) {
      diagnostics.error(ErrorCode::kYamlSyntax, {1, 1}, "the file is empty");
      return std::nullopt;
    }
    Diagnostics ignored;
    TreeBuilder second(source, ignored);
    if (parser.HandleNextDocument(second)) {
      const std::optional<Located> more = second.take();
      diagnostics.error(ErrorCode::kYamlSyntax, more ? more->position : Position{},
                        "the file holds more than one YAML document", "one job per file");
    }
  } catch (const YAML::Exception& error) {
    report_yaml_error(error, source, diagnostics);
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace millrace
