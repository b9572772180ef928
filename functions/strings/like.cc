#include "functions/strings/like.h"

#include "functions/strings/utf8.h"

namespace millrace {

Result<LikePattern> LikePattern::compile(std::string_view pattern, std::string_view escape) {
  if (!escape.empty() && utf8_length(escape) != 1) {
    return make_error(ErrorCode::kTypeMismatch, "ESCAPE takes one character");
  }
  LikePattern compiled;
  std::vector<Item>& items = compiled.items_;
  auto add_text = [&](std::string_view text) {
    if (items.empty() || items.back().kind != Item::Kind::kText) items.push_back({Item::Kind::kText, ""});
    items.back().text += text;
  };
  for (size_t at = 0; at < pattern.size();) {
    std::string_view character = pattern.substr(at, utf8_width(pattern, at));
    at += character.size();
    if (!escape.empty() && character == escape) {
      std::string_view next = at < pattern.size() ? pattern.substr(at, utf8_width(pattern, at)) : std::string_view();
      if (next != "%" && next != "_" && next != escape) {
        return make_error(ErrorCode::kTypeMismatch, "the escape character of LIKE stands before %, _ or itself");
      }
      at += next.size();
      add_text(next);
    } else if (character == "%") {
      if (items.empty() || items.back().kind != Item::Kind::kAny) items.push_back({Item::Kind::kAny, ""});
    } else if (character == "_") {
      items.push_back({Item::Kind::kOne, ""});
    } else {
      add_text(character);
    }
  }
  auto kinds = [&](std::initializer_list<Item::Kind> wanted) {
    if (items.size() != wanted.size()) return false;
    size_t i = 0;
    for (Item::Kind kind : wanted) {
      if (items[i++].kind != kind) return false;
    }
    return true;
  };
  using enum Item::Kind;
  if (kinds({kText})) compiled.shape_ = Shape::kExact;
  if (kinds({kText, kAny})) compiled.shape_ = Shape::kPrefix;
  if (kinds({kAny, kText})) compiled.shape_ = Shape::kSuffix;
  if (kinds({kAny, kText, kAny})) compiled.shape_ = Shape::kContains;
  return compiled;
}

bool LikePattern::matches(std::string_view text) const {
  switch (shape_) {
    case Shape::kExact:
      return text == items_[0].text;
    case Shape::kPrefix:
      return text.starts_with(items_[0].text);
    case Shape::kSuffix:
      return text.ends_with(items_[1].text);
    case Shape::kContains:
      return text.find(items_[1].text) != std::string_view::npos;
    case Shape::kGeneral:
      break;
  }
  // Greedy with one point to return to: the last % tried.
  size_t at = 0;
  size_t item = 0;
  size_t retry_item = SIZE_MAX;
  size_t retry_at = 0;
  while (true) {
    bool ok = true;
    if (item == items_.size()) {
      if (at == text.size()) return true;
      ok = false;
    } else if (items_[item].kind == Item::Kind::kAny) {
      retry_item = ++item;
      retry_at = at;
      continue;
    } else if (items_[item].kind == Item::Kind::kOne) {
      ok = at < text.size();
      if (ok) at += utf8_width(text, at);
    } else {
      ok = text.substr(at).starts_with(items_[item].text);
      if (ok) at += items_[item].text.size();
    }
    if (ok) {
      ++item;
      continue;
    }
    if (retry_item == SIZE_MAX || retry_at >= text.size()) return false;
    retry_at += utf8_width(text, retry_at);
    item = retry_item;
    at = retry_at;
  }
}

}  // namespace millrace
