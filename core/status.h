// Status and Result<T>: the only error idiom. Each error carries a code of the catalogue (core/errors.inc), which gives
// its domain (user, external, internal) and whether a repetition may help; schedulers act on those two.
// Flow of control is an enum (runtime/spi/flow.h), never an error.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class ErrorDomain : uint8_t { kUser, kExternal, kInternal };
enum class Retry : uint8_t { kPermanent, kTransient };

enum class ErrorCode : uint16_t {
#define X(name, code, domain, retry, title, explanation) name,
#include "core/errors.inc"
#undef X
};

struct ErrorInfo {
  std::string_view code;  // "E0203"
  ErrorDomain domain;
  Retry retry;
  std::string_view title;
  std::string_view explanation;
};

const ErrorInfo& error_info(ErrorCode code);
/// Looks a code such as "E0203" up (any letter case); nullptr when there is none.
const ErrorInfo* find_error_info(std::string_view code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // what failed, with which object
  std::string help;     // what to do; may be empty

  [[nodiscard]] const ErrorInfo& info() const { return error_info(code); }
  [[nodiscard]] bool transient() const { return info().retry == Retry::kTransient; }
  /// "E0503: message (help)".
  [[nodiscard]] std::string to_string() const;
  /// The same error with "context: " before its message.
  [[nodiscard]] Error with_context(std::string_view context) &&;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> make_error(ErrorCode code, std::string message, std::string help = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(help)});
}

/// A file system or system call failed: takes errno; ENOSPC and EDQUOT become kDiskFull, ENOENT kNotFound.
[[nodiscard]] std::unexpected<Error> errno_error(std::string_view what, std::string_view path, int error_number);

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& detail);

}  // namespace millrace

#define MR_CONCAT_INNER(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_INNER(a, b)

/// Returns the error of a Status or Result expression from the enclosing function.
#define MR_TRY(expr)                                                                                   \
  do {                                                                                                 \
    if (auto mr_try_result = (expr); !mr_try_result) [[unlikely]]                                      \
      return std::unexpected(std::move(mr_try_result).error());                                        \
  } while (false)

/// MR_ASSIGN(auto x, f()): declares or assigns x from a Result, or returns its error.
#define MR_ASSIGN(lhs, expr) MR_ASSIGN_INNER(MR_CONCAT(mr_result_, __LINE__), lhs, expr)
#define MR_ASSIGN_INNER(tmp, lhs, expr)                                     \
  auto tmp = (expr);                                                        \
  if (!tmp) [[unlikely]] return std::unexpected(std::move(tmp).error());    \
  lhs = std::move(*tmp)

/// An invariant; stays on in release builds. A failure is a bug and ends the process.
#define MR_CHECK(cond, detail)                                                             \
  do {                                                                                     \
    if (!(cond)) [[unlikely]] ::millrace::check_failed(__FILE__, __LINE__, #cond, (detail)); \
  } while (false)
