#include "cli/result_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace millrace {

namespace {

using OutputJson = nlohmann::ordered_json;

/// Texts that YAML would read as something else are quoted as JSON texts, which YAML understands.
std::string yaml_scalar(const OutputJson& value) {
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  const bool plain = !text.empty() && text.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_/.-+ ") == std::string::npos;
  const bool letter = plain && std::isalpha(static_cast<unsigned char>(text[0])) != 0 && text.back() != ' ';
  static const std::vector<std::string> kWords{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return letter && std::ranges::find(kWords, lower) == kWords.end() ? text : value.dump();
}

bool is_block(const OutputJson& value) { return value.is_structured() && !value.empty(); }

void write_yaml(const OutputJson& value, size_t indent, std::string& out) {
  const std::string blanks(indent, ' ');
  for (const auto& [name, member] : value.items()) {
    out += blanks;
    out += value.is_array() ? "-" : yaml_scalar(name) + ":";
    if (!is_block(member)) {
      out += " " + (member.is_structured() ? member.dump() : yaml_scalar(member)) + "\n";
    } else if (value.is_array() && member.is_object()) {  // "- first: 1", the rest below it
      std::string block;
      write_yaml(member, indent + 2, block);
      out += " " + block.substr(indent + 2);
    } else {
      out += "\n";
      write_yaml(member, indent + 2, out);
    }
  }
}

/// Characters as a terminal shows them, wide ones aside.
size_t shown_width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

bool is_output_format(std::string_view format) { return format == "table" || format == "json" || format == "yaml"; }

std::string render_table(const TableRows& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - shown_width(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

std::string json_to_yaml(std::string_view json) {
  const OutputJson value = OutputJson::parse(json, nullptr, false);
  if (!is_block(value)) return yaml_scalar(value) + "\n";
  std::string out;
  write_yaml(value, 0, out);
  return out;
}

void print_result(std::string_view format, std::string_view json, const TableRows& table) {
  std::string text;
  if (format == "json") {
    text = OutputJson::parse(json, nullptr, false).dump(2, ' ', false, OutputJson::error_handler_t::replace) + "\n";
  } else {
    text = format == "yaml" ? json_to_yaml(json) : render_table(table);
  }
  std::fputs(text.c_str(), stdout);
}

std::string time_text(long long wall_ms) {
  if (wall_ms <= 0) return "-";
  std::string text = utc_text(wall_ms);  // 2026-01-31T12:00:00.123Z
  text.resize(19);
  text[10] = ' ';
  return text;
}

std::string short_number(double value) {
  constexpr std::string_view kUnits[] = {"", "k", "M", "G", "T", "P"};
  size_t unit = 0;
  while (std::fabs(value) >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0 && value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string bytes_text(double bytes) { return short_number(bytes) + "B"; }

}  // namespace millrace
