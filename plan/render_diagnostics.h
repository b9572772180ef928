// Diagnostics for people and for tools: text with a caret under the place, JSON, SARIF 2.1.0 (code scanning) and
// GitHub's workflow commands. Pure functions of their arguments.
#pragma once

#include <string>
#include <string_view>

#include "plan/diagnostic.h"

namespace millrace {

struct DiagnosticSource {
  std::string_view file;  // as named by the user
  std::string_view text;  // the job file; carets need it
};

/// One block per diagnostic, an empty line between two. `color`: ANSI sequences.
std::string render_text(const Diagnostics& diagnostics, const DiagnosticSource& source, bool color = false);
/// {"diagnostics": [{code, severity, message, help, file, line, column, length}], "errors": n, "warnings": n}
std::string render_json(const Diagnostics& diagnostics, const DiagnosticSource& source);
std::string render_sarif(const Diagnostics& diagnostics, const DiagnosticSource& source);
std::string render_github(const Diagnostics& diagnostics, const DiagnosticSource& source);

}  // namespace millrace
