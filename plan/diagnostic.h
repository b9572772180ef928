// Mistakes in a job file with their place, collected all at once. Rendering (text with a caret, json, sarif, github) is
// plan/render_diagnostics.h.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "plan/expr/expression.h"
#include "plan/options.h"

namespace millrace {

enum class Severity : uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string help;
  Position position;
  int length = 1;     // characters to underline
  std::string label;  // short text behind the caret
};

/// The place in the file of byte `offset` of a value's text; the value's own place where that is not known.
Position position_in(const Located& value, size_t offset);

class Diagnostics {
 public:
  void error(ErrorCode code, Position at, std::string message, std::string help = {}, int length = 1);
  void warning(ErrorCode code, Position at, std::string message, std::string help = {}, int length = 1);
  /// A mistake inside an expression whose text stands at `text`.
  void expression(const Located& text, const ExprError& error);
  [[nodiscard]] bool has_errors() const;
  [[nodiscard]] const std::vector<Diagnostic>& all() const { return all_; }
  [[nodiscard]] size_t count(Severity severity) const;
  /// For later changes such as labels; `first` = number of diagnostics to skip.
  [[nodiscard]] std::span<Diagnostic> since(size_t first) { return std::span(all_).subspan(first); }
  /// By place in the file.
  void sort();
  void add(Diagnostic diagnostic) { all_.push_back(std::move(diagnostic)); }

 private:
  std::vector<Diagnostic> all_;
};

}  // namespace millrace
