// Structured logs on stderr: a line of text on a terminal, one JSON object a line otherwise (--log-format decides).
// Any thread; a whole line is one write. Not for the hot path.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError, kOff };

struct LogField {
  std::string_view name;
  std::string value;
  LogField(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(v) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view n, T v) : name(n), value(std::to_string(v)) {}
};

void set_log_level(LogLevel level);
void set_log_json(bool json);
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
/// The line that log() writes, newline included.
std::string format_log_line(bool json, int64_t wall_ms, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields);

inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kInfo, m, f); }
inline void log_warn(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kWarn, m, f); }
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kError, m, f); }
inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kDebug, m, f); }

}  // namespace millrace
