#include "cli/explain.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/arguments.h"
#include "cli/job_file.h"
#include "cli/usage.h"
#include "core/status.h"

namespace millrace {

namespace {

constexpr ErrorCode kAllCodes[] = {
#define X(name, code, domain, retry, title, explanation) ErrorCode::name,
#include "core/errors.inc"
#undef X
};

std::string_view domain_text(ErrorDomain domain) {
  switch (domain) {
    case ErrorDomain::kUser:
      return "the job file, its data or its use";
    case ErrorDomain::kExternal:
      return "a system outside of Millrace";
    case ErrorDomain::kInternal:
      return "Millrace itself";
  }
  return "unknown";
}

/// Words wrapped at 100 columns.
std::string wrapped(std::string_view text) {
  constexpr size_t kWidth = 100;
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (column > 0 && column + end + 1 > kWidth) {
      out.push_back('\n');
      column = 0;
    } else if (column > 0) {
      out.push_back(' ');
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

int command_explain(const std::vector<std::string>& args, const Registry&) {
  const auto arguments = parse_arguments(args, {{}, {}, 0, 1});
  if (!arguments) return usage_error("explain", arguments.error(), kExplainUsage);
  if (arguments->words.empty()) {
    for (ErrorCode code : kAllCodes) {
      std::fputs(fmt::format("{}  {}\n", error_info(code).code, error_info(code).title).c_str(), stdout);
    }
    return 0;
  }
  const ErrorInfo* info = find_error_info(arguments->words[0]);
  if (info == nullptr) {
    return usage_error("explain", fmt::format("there is no code `{}`", arguments->words[0]), kExplainUsage);
  }
  std::fputs(fmt::format("{}: {}\n\n{}\n\nWhere it comes from: {}.{}\n", info->code, info->title,
                         wrapped(info->explanation), domain_text(info->domain),
                         info->retry == Retry::kTransient ? " It may pass by itself; Millrace tries again." : "")
                 .c_str(),
             stdout);
  return 0;
}

}  // namespace millrace
