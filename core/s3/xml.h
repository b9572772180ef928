// The little of XML that S3 answers with: elements without attributes that matter, found by name. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// The content of the first <name>…</name>, its entities resolved; empty when there is none.
std::string xml_text(std::string_view xml, std::string_view name);
/// The raw contents of all elements <name>, in order. They do not nest.
std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name);
/// & < > " and control characters as entities.
std::string xml_escape(std::string_view text);

}  // namespace millrace
