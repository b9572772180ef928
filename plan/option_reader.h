// From a YAML mapping and descriptors to typed values: unknown fields (with the nearest name), missing fields, ranges,
// units and choices, all mistakes at once. Used for every part of the job file that has named fields.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/diagnostic.h"
#include "plan/options.h"

namespace millrace {

/// Reads one mapping, perhaps through several sets of descriptors; finish() then reports the fields nobody asked for.
class OptionReader {
 public:
  /// `place` names the mapping in messages: "sink `alerts`". A null value counts as an empty mapping.
  OptionReader(const Located& map, std::string place, Diagnostics& diagnostics);

  /// Every described option is in the answer: as written, with its default, or empty. REQUIRES: called before finish().
  OptionValues read(std::span<const OptionDescriptor> descriptors);
  /// Fields that are known without being read here.
  void accept(std::string_view name);
  void finish();

 private:
  void missing(const OptionDescriptor& descriptor);

  const Located& map_;
  std::string place_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
  bool usable_ = true;
};

/// One set of descriptors that covers the whole mapping.
OptionValues read_options(const Located& map, std::span<const OptionDescriptor> descriptors, std::string place,
                          Diagnostics& diagnostics);

/// A single value; nothing after reporting what is wrong.
std::optional<OptionValue> read_option(const Located& value, const OptionDescriptor& descriptor,
                                       Diagnostics& diagnostics);

/// "a text", "a list", "a mapping", "nothing".
std::string_view describe_kind(const Located& value);

/// Reports an unknown name at `at` with the nearest of `known`, or all of them when they are few.
void report_unknown_field(std::string_view name, Position at, std::string_view place,
                          std::span<const std::string_view> known, Diagnostics& diagnostics);

}  // namespace millrace
