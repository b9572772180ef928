#include "core/s3/xml.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace millrace {

namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
    {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};

std::string resolve(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t begin = std::min(text.find('&'), text.size());
    out.append(text.substr(0, begin));
    text.remove_prefix(begin);
    if (text.empty()) break;
    const size_t end = text.find(';');
    const std::string_view name = end == std::string_view::npos ? "" : text.substr(1, end - 1);
    char found = '\0';
    for (const auto& [entity, c] : kEntities) {
      if (entity == name) found = c;
    }
    if (name.starts_with('#')) {
      const bool hex = name.starts_with("#x");
      int number = 0;
      std::from_chars(name.data() + (hex ? 2 : 1), name.data() + name.size(), number, hex ? 16 : 10);
      if (number > 0 && number < 128) found = static_cast<char>(number);
    }
    out.push_back(found == '\0' ? '&' : found);
    text.remove_prefix(found == '\0' ? 1 : end + 1);
  }
  return out;
}

}  // namespace

std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name) {
  const std::string begin = fmt::format("<{}>", name);
  const std::string end = fmt::format("</{}>", name);
  std::vector<std::string_view> out;
  for (size_t at = xml.find(begin); at != std::string_view::npos; at = xml.find(begin, at)) {
    at += begin.size();
    const size_t stop = xml.find(end, at);
    if (stop == std::string_view::npos) break;
    out.push_back(xml.substr(at, stop - at));
    at = stop;
  }
  return out;
}

std::string xml_text(std::string_view xml, std::string_view name) {
  const auto found = xml_elements(xml, name);
  return found.empty() ? "" : resolve(found.front());
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 32 && c != '&' && c != '<' && c != '>' && c != '"';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("&#{};", static_cast<int>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace millrace
