// Results on standard output as a table, JSON or YAML (--output). Tables have a head line and columns as wide as their
// widest cell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

using TableRows = std::vector<std::vector<std::string>>;  // [0] is the head

/// "table", "json" or "yaml".
bool is_output_format(std::string_view format);

std::string render_table(const TableRows& rows);
/// `json` is valid JSON; block style, texts quoted where YAML would read them otherwise.
std::string json_to_yaml(std::string_view json);
/// `table` is only used for "table".
void print_result(std::string_view format, std::string_view json, const TableRows& table);

/// "-" for 0; "2026-01-31 12:00:00".
std::string time_text(long long wall_ms);
/// "1.2k", "34M": at most three digits.
std::string short_number(double value);
/// "12.3 MB".
std::string bytes_text(double bytes);

}  // namespace millrace
