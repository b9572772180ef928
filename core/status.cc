#include "core/status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace millrace {
namespace {

constexpr ErrorInfo kInfos[] = {
#define X(name, code, domain, retry, title, explanation) {code, ErrorDomain::domain, Retry::retry, title, explanation},
#include "core/errors.inc"
#undef X
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
  }
  return true;
}

}  // namespace

const ErrorInfo& error_info(ErrorCode code) { return kInfos[static_cast<size_t>(code)]; }

const ErrorInfo* find_error_info(std::string_view code) {
  for (const ErrorInfo& info : kInfos) {
    if (equal_ignoring_case(info.code, code)) return &info;
  }
  return nullptr;
}

std::string Error::to_string() const {
  std::string text(info().code);
  text += ": ";
  text += message;
  if (!help.empty()) text += " (" + help + ")";
  return text;
}

Error Error::with_context(std::string_view context) && {
  message = std::string(context) + ": " + message;
  return std::move(*this);
}

std::unexpected<Error> errno_error(std::string_view what, std::string_view path, int error_number) {
  ErrorCode code = ErrorCode::kIo;
  std::string help;
  if (error_number == ENOSPC || error_number == EDQUOT) {
    code = ErrorCode::kDiskFull;
    help = "free space on the device that holds it";
  } else if (error_number == ENOENT) {
    code = ErrorCode::kNotFound;
  }
  return make_error(code, std::string(what) + " " + std::string(path) + ": " + std::strerror(error_number), help);
}

void check_failed(const char* file, int line, const char* condition, const std::string& detail) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s: %s\n", file, line, condition, detail.c_str());
  std::abort();
}

}  // namespace millrace
