#include "runtime/operators/pattern/match_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace millrace {
namespace {

constexpr uint32_t kUnbounded = UINT32_MAX;
constexpr uint32_t kRepeatMax = 100'000;
constexpr size_t kProgramMax = 2'000;  // repeated groups are written out

struct MatchNode {
  enum class Kind : uint8_t { kVariable, kSequence, kChoice };
  Kind kind = Kind::kVariable;
  uint32_t variable = 0;
  std::vector<MatchNode> parts;
  uint32_t min = 1;
  uint32_t max = 1;
  bool greedy = true;
};

class MatchParser {
 public:
  MatchParser(const std::string& text, std::vector<PatternVariable>& variables) : text_(text), variables_(variables) {}

  Result<MatchNode> parse() {
    MR_ASSIGN(MatchNode whole, choice());
    if (!at_end()) return mistake(fmt::format("`{}` is not understood in `match`", text_[i_]));
    return whole;
  }

 private:
  static std::unexpected<Error> mistake(std::string message) {
    return make_error(ErrorCode::kBadPlan, std::move(message));
  }
  bool at_end() {
    while (i_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[i_])) != 0) ++i_;
    return i_ == text_.size();
  }
  bool accept(char c) {
    if (at_end() || text_[i_] != c) return false;
    ++i_;
    return true;
  }

  Result<MatchNode> choice() {
    MatchNode node;
    node.kind = MatchNode::Kind::kChoice;
    do {
      MR_ASSIGN(MatchNode part, sequence());
      node.parts.push_back(std::move(part));
    } while (accept('|'));
    if (node.parts.size() > 1) return node;
    MatchNode only = std::move(node.parts[0]);
    return only;
  }

  Result<MatchNode> sequence() {
    MatchNode node;
    node.kind = MatchNode::Kind::kSequence;
    while (!at_end() && text_[i_] != '|' && text_[i_] != ')') {
      MR_ASSIGN(MatchNode part, item());
      node.parts.push_back(std::move(part));
    }
    if (node.parts.empty()) return mistake("a part of `match` names no variable");
    return node;
  }

  Result<MatchNode> item() {
    MatchNode node;
    std::string what;
    if (accept('(')) {
      MR_ASSIGN(MatchNode inner, choice());
      if (!accept(')')) return mistake("a `(` in `match` is not closed");
      node.kind = MatchNode::Kind::kSequence;
      node.parts.push_back(std::move(inner));
      what = "a group";
    } else {
      std::string name;
      while (i_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[i_])) != 0 || text_[i_] == '_')) {
        name += text_[i_++];
      }
      if (name.empty()) return mistake(fmt::format("`{}` is not understood in `match`", text_[i_]));
      const auto known = std::ranges::find(variables_, name, &PatternVariable::name);
      node.variable = static_cast<uint32_t>(known - variables_.begin());
      what = fmt::format("`{}`", name);
      if (known == variables_.end()) variables_.push_back({std::move(name), -1});
    }
    MR_TRY(quantifier(node, what));
    return node;
  }

  Status quantifier(MatchNode& node, const std::string& what) {
    const char c = i_ < text_.size() ? text_[i_] : ' ';
    if (c == '*' || c == '+' || c == '?') {
      node.min = c == '+' ? 1 : 0;
      node.max = c == '?' ? 1 : kUnbounded;
      ++i_;
    } else if (c == '{') {
      const size_t end = text_.find('}', i_);
      const std::string inside = end == std::string::npos ? "" : text_.substr(i_ + 1, end - i_ - 1);
      const size_t comma = inside.find(',');
      node.min = number(inside.substr(0, comma), 0);
      node.max = comma == std::string::npos ? node.min : number(inside.substr(comma + 1), kUnbounded);
      if (inside.empty() || node.min > kRepeatMax || node.min > node.max || node.max == 0) {
        return make_error(ErrorCode::kBadPlan, fmt::format("the quantifier of {} is not understood", what));
      }
      i_ = end + 1;
    } else {
      return {};
    }
    if (i_ < text_.size() && text_[i_] == '?') {
      node.greedy = false;
      ++i_;
    }
    return {};
  }

  /// kUnbounded - 1 where it is none.
  static uint32_t number(const std::string& digits, uint32_t otherwise) {
    uint32_t value = 0;
    bool any = false;
    for (const char digit : digits) {
      if (digit == ' ') continue;
      if (digit < '0' || digit > '9' || value > kRepeatMax) return kUnbounded - 1;
      any = true;
      value = value * 10 + static_cast<uint32_t>(digit - '0');
    }
    return any ? value : otherwise;
  }

  const std::string& text_;
  std::vector<PatternVariable>& variables_;
  size_t i_ = 0;
};

bool may_be_empty(const MatchNode& node) {
  if (node.min == 0) return true;
  if (node.kind == MatchNode::Kind::kVariable) return false;
  return node.kind == MatchNode::Kind::kChoice ? std::ranges::any_of(node.parts, may_be_empty)
                                               : std::ranges::all_of(node.parts, may_be_empty);
}

/// Works from the end of the pattern to its beginning: what follows a part is known when the part is written.
class MatchCompiler {
 public:
  Status compile(const MatchNode& whole, MatchSyntax& out) {
    if (may_be_empty(whole)) return mistake("`match` could be met by no row at all");
    MR_ASSIGN(const uint32_t begin, write(whole, add({.kind = PatternStep::Kind::kEnd})));
    MR_TRY(check_end());
    // In the order of the text again.
    const uint32_t last = static_cast<uint32_t>(steps_.size()) - 1;
    for (PatternStep& step : steps_) {
      step.next = last - step.next;
      step.other = last - step.other;
    }
    std::ranges::reverse(steps_);
    out.program = std::move(steps_);
    out.begin = last - begin;
    return {};
  }

 private:
  static std::unexpected<Error> mistake(std::string message, std::string help = {}) {
    return make_error(ErrorCode::kBadPlan, std::move(message), std::move(help));
  }

  uint32_t add(const PatternStep& step) {
    steps_.push_back(step);
    return static_cast<uint32_t>(steps_.size()) - 1;
  }
  uint32_t fork(uint32_t next, uint32_t other, bool greedy) {
    return add({.kind = PatternStep::Kind::kFork, .greedy = greedy, .next = next, .other = other});
  }

  /// Writes `node`, behind which comes the step `next`; gives its first step.
  Result<uint32_t> write(const MatchNode& node, uint32_t next) {
    if (node.kind == MatchNode::Kind::kVariable) {
      return add({.kind = PatternStep::Kind::kRow,
                  .greedy = node.greedy,
                  .variable = node.variable,
                  .min = node.min,
                  .max = node.max,
                  .next = next});
    }
    uint32_t entry = next;
    uint32_t copies = node.min;
    if (node.max == kUnbounded) {
      MatchNode once = node;
      once.min = once.max = 1;
      if (may_be_empty(once)) return mistake("a group that could be met by no row cannot be repeated without end");
      const uint32_t loop = fork(0, next, node.greedy);
      MR_ASSIGN(const uint32_t body, write_once(node, loop));
      steps_[loop].next = body;
      entry = node.min == 0 ? loop : body;
      copies = node.min == 0 ? 0 : node.min - 1;
    } else {
      for (uint32_t i = node.min; i < node.max; ++i) {
        MR_ASSIGN(const uint32_t body, write_once(node, entry));
        entry = fork(body, next, node.greedy);
      }
    }
    for (uint32_t i = 0; i < copies; ++i) {
      MR_ASSIGN(entry, write_once(node, entry));
    }
    return entry;
  }

  Result<uint32_t> write_once(const MatchNode& node, uint32_t next) {
    if (steps_.size() > kProgramMax) return mistake("`match` is too large: its groups are repeated too often");
    std::vector<uint32_t> entries;
    uint32_t entry = next;
    for (size_t i = node.parts.size(); i-- > 0;) {
      MR_ASSIGN(entry, write(node.parts[i], node.kind == MatchNode::Kind::kSequence ? entry : next));
      entries.push_back(entry);
    }
    if (node.kind == MatchNode::Kind::kSequence) return entry;
    entry = entries[0];
    for (size_t i = 1; i < entries.size(); ++i) entry = fork(entries[i], entry, false);
    return entry;
  }

  [[nodiscard]] bool reaches_end(uint32_t at) const {
    const PatternStep& step = steps_[at];
    if (step.kind == PatternStep::Kind::kEnd) return true;
    if (step.kind == PatternStep::Kind::kFork) return reaches_end(step.next) || reaches_end(step.other);
    return step.min == 0 && reaches_end(step.next);
  }

  Status check_end() {
    for (PatternStep& step : steps_) {
      const bool row = step.kind == PatternStep::Kind::kRow;
      if (step.kind == PatternStep::Kind::kEnd || !reaches_end(row ? step.next : step.other)) continue;
      if (row ? step.greedy && step.min != step.max : step.greedy) {
        return mistake("a greedy quantifier cannot stand last: the match would never end",
                       "add a variable behind it, or a `?` behind the quantifier");
      }
      if (row && step.min == 0) return mistake("the last variable has to match at least one row");
      step.completes = row;
    }
    return {};
  }

  std::vector<PatternStep> steps_;
};

}  // namespace

Result<MatchSyntax> read_match_syntax(const std::string& text) {
  MatchSyntax syntax;
  MatchParser parser(text, syntax.variables);
  MR_ASSIGN(const MatchNode whole, parser.parse());
  MR_TRY(MatchCompiler().compile(whole, syntax));
  return syntax;
}

}  // namespace millrace
