#include "core/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>

namespace millrace {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<int> g_json{-1};  // -1: JSON unless stderr is a terminal

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};

void append_json_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

std::string json_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = "{\"time\":\"" + timestamp() + "\",\"level\":\"" +
                     std::string(kNames[static_cast<size_t>(level)]) + "\",\"message\":";
  append_json_text(line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    append_json_text(line, field.name);
    line.push_back(':');
    append_json_text(line, field.value);
  }
  return line + "}\n";
}

std::string text_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = fmt::format("{} {:<5} {}", timestamp(), kNames[static_cast<size_t>(level)], message);
  for (const LogField& field : fields) line += fmt::format(" {}={}", field.name, field.value);
  return line + "\n";
}

}  // namespace

void set_log_level(LogLevel level) { g_level = level; }
void set_log_json(bool json) { g_json = json ? 1 : 0; }

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  const int json = g_json.load(std::memory_order_relaxed);
  const bool as_json = json == 1 || (json == -1 && isatty(STDERR_FILENO) == 0);
  const std::string line = as_json ? json_line(level, message, fields) : text_line(level, message, fields);
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // nowhere left to complain
}

}  // namespace millrace
