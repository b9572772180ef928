#include "core/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "core/clock.h"
#include "core/text.h"

namespace millrace {
namespace {

enum class LogForm : int { kAuto, kText, kJson };

std::atomic<LogLevel> current_level{LogLevel::kInfo};
std::atomic<LogForm> current_form{LogForm::kAuto};

bool stderr_is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

std::string_view level_name(LogLevel level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};
  return kNames[static_cast<size_t>(level)];
}

std::string json_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields,
                      std::string_view time) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","message":)", time, level_name(level));
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.name);
    line += ':';
    append_json_string(line, field.value);
  }
  line += "}\n";
  return line;
}

/// One line whatever the texts hold: control characters are escaped, values with blanks quoted.
std::string text_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields,
                      std::string_view time) {
  static const bool colours = stderr_is_terminal() && std::getenv("NO_COLOR") == nullptr;
  static constexpr std::string_view kColours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", ""};
  std::string line(time.substr(11, 12));  // the time of the day is enough for a reader in front of it
  line += ' ';
  if (colours) line += kColours[static_cast<size_t>(level)];
  line += fmt::format("{:<5}", level_name(level));
  if (colours) line += "\x1b[0m";
  line += ' ';
  for (char c : message) line += c == '\n' || c == '\r' ? ' ' : c;
  for (const LogField& field : fields) {
    line += fmt::format(" {}=", field.name);
    const bool plain = field.value.find_first_of(" \"\n\r\t\\=") == std::string::npos && !field.value.empty();
    if (plain) {
      line += field.value;
    } else {
      append_json_string(line, field.value);
    }
  }
  line += '\n';
  return line;
}

}  // namespace

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }
void set_log_json(bool json) { current_form.store(json ? LogForm::kJson : LogForm::kText, std::memory_order_relaxed); }

std::string format_log_line(bool json, int64_t wall_ms, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields) {
  const std::string time = utc_text(wall_ms);
  return json ? json_line(level, message, fields, time) : text_line(level, message, fields, time);
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < current_level.load(std::memory_order_relaxed) || level == LogLevel::kOff) return;
  const LogForm form = current_form.load(std::memory_order_relaxed);
  const bool json = form == LogForm::kJson || (form == LogForm::kAuto && !stderr_is_terminal());
  const std::string line = format_log_line(json, system_clock().wall_ms(), level, message, fields);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace millrace
