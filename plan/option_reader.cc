#include "plan/option_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/nearest.h"
#include "data/number_text.h"
#include "plan/option_text.h"

namespace millrace {

namespace {

constexpr size_t kListedNamesMax = 16;

int underlined(std::string_view text) { return std::max<int>(1, static_cast<int>(text.size())); }

std::string quoted_list(std::span<const std::string> names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += "`" + names[i] + "`";
  }
  return out;
}

std::string_view needed_kind(const OptionDescriptor& descriptor) {
  switch (descriptor.kind) {
    case OptionKind::kInteger:
      return "a whole number";
    case OptionKind::kNumber:
      return "a number";
    case OptionKind::kBoolean:
      return "true or false";
    case OptionKind::kDuration:
      return "a duration such as `10s`";
    case OptionKind::kBytes:
      return "a size such as `64MiB`";
    case OptionKind::kTextList:
      return "a list of texts";
    case OptionKind::kExpression:
      return "an expression";
    default:
      return "a text";
  }
}

/// Converts the text of one scalar; answers nothing after reporting.
class ScalarConverter {
 public:
  ScalarConverter(const Located& value, const OptionDescriptor& descriptor, Diagnostics& diagnostics)
      : value_(value), descriptor_(descriptor), diagnostics_(diagnostics) {}

  bool convert(OptionValue& out) {
    switch (descriptor_.kind) {
      case OptionKind::kText:
      case OptionKind::kExpression:
        out.value = value_.text;
        return true;
      case OptionKind::kTextList:
        out.value = std::vector<std::string>{value_.text};
        return true;
      case OptionKind::kInteger:
        return integer(parse_int64(value_.text), out);
      case OptionKind::kDuration:
        return word(out) || integer(parse_duration(value_.text), out);
      case OptionKind::kBytes:
        return word(out) || integer(parse_bytes(value_.text), out);
      case OptionKind::kNumber:
        return number(out);
      case OptionKind::kBoolean:
        return boolean(out);
      case OptionKind::kChoice:
        return choice(out);
      case OptionKind::kTree:
        return true;
    }
    return false;
  }

 private:
  bool word(OptionValue& out) {
    const bool known = std::ranges::find(descriptor_.choices, value_.text) != descriptor_.choices.end();
    if (known) out.value = int64_t{-1};
    return known;
  }

  bool integer(std::optional<int64_t> parsed, OptionValue& out) {
    if (!parsed) return refuse(fmt::format("`{}` needs {}{}", descriptor_.name, needed_kind(descriptor_), words()));
    if ((descriptor_.min && *parsed < *descriptor_.min) || (descriptor_.max && *parsed > *descriptor_.max)) {
      return refuse(range());
    }
    out.value = *parsed;
    return true;
  }

  bool number(OptionValue& out) {
    const std::optional<double> parsed = parse_double(value_.text);
    if (!parsed || !std::isfinite(*parsed)) return refuse(fmt::format("`{}` needs a number", descriptor_.name));
    if ((descriptor_.min && *parsed < static_cast<double>(*descriptor_.min)) ||
        (descriptor_.max && *parsed > static_cast<double>(*descriptor_.max))) {
      return refuse(range());
    }
    out.value = *parsed;
    return true;
  }

  bool boolean(OptionValue& out) {
    if (value_.text != "true" && value_.text != "false") {
      return refuse(fmt::format("`{}` needs true or false", descriptor_.name));
    }
    out.value = value_.text == "true";
    return true;
  }

  bool choice(OptionValue& out) {
    if (std::ranges::find(descriptor_.choices, value_.text) != descriptor_.choices.end()) {
      out.value = value_.text;
      return true;
    }
    std::vector<std::string_view> names(descriptor_.choices.begin(), descriptor_.choices.end());
    const std::string near = descriptor_.secret ? "" : nearest_name(value_.text, names);
    return refuse(fmt::format("`{}` must be {}", descriptor_.name, quoted_list(descriptor_.choices)),
                  near.empty() ? "" : fmt::format("did you mean `{}`?", near));
  }

  std::string words() const {
    return descriptor_.choices.empty() ? "" : fmt::format(" or {}", quoted_list(descriptor_.choices));
  }

  std::string limit(int64_t value) const {
    return descriptor_.kind == OptionKind::kDuration ? format_duration(value) : std::to_string(value);
  }

  std::string range() const {
    if (!descriptor_.max) return fmt::format("`{}` must be at least {}", descriptor_.name, limit(*descriptor_.min));
    if (!descriptor_.min) return fmt::format("`{}` must be at most {}", descriptor_.name, limit(*descriptor_.max));
    return fmt::format("`{}` must be between {} and {}", descriptor_.name, limit(*descriptor_.min),
                       limit(*descriptor_.max));
  }

  bool refuse(std::string message, std::string help = {}) {
    if (!descriptor_.secret) message += fmt::format(", not `{}`", value_.text);
    const int length = value_.interpolated ? 1 : underlined(value_.text);
    diagnostics_.error(ErrorCode::kBadValue, value_.content.line > 0 ? value_.content : value_.position,
                       std::move(message), std::move(help), length);
    return false;
  }

  const Located& value_;
  const OptionDescriptor& descriptor_;
  Diagnostics& diagnostics_;
};

bool read_text_list(const Located& value, const OptionDescriptor& descriptor, OptionValue& out,
                    Diagnostics& diagnostics) {
  std::vector<std::string> texts;
  bool ok = true;
  for (const Located& item : value.items) {
    if (item.is_scalar()) {
      texts.push_back(item.text);
      continue;
    }
    diagnostics.error(ErrorCode::kWrongShape, item.position,
                      fmt::format("`{}` needs a list of texts; this item is {}", descriptor.name, describe_kind(item)));
    ok = false;
  }
  out.value = std::move(texts);
  return ok;
}

OptionValue default_value(const OptionDescriptor& descriptor) {
  OptionValue value;
  if (!descriptor.default_text) return value;
  Located text;
  text.kind = Located::Kind::kScalar;
  text.text = *descriptor.default_text;
  Diagnostics mistakes;
  const bool ok = ScalarConverter(text, descriptor, mistakes).convert(value);
  MR_CHECK(ok, "the default of option " + descriptor.name + " does not fit its own description");
  return value;
}

}  // namespace

std::string_view describe_kind(const Located& value) {
  switch (value.kind) {
    case Located::Kind::kNull:
      return "nothing";
    case Located::Kind::kScalar:
      return "a text";
    case Located::Kind::kList:
      return "a list";
    case Located::Kind::kMap:
      return "a mapping";
  }
  return "something else";
}

std::optional<OptionValue> read_option(const Located& value, const OptionDescriptor& descriptor,
                                       Diagnostics& diagnostics) {
  OptionValue out;
  out.located = value;
  out.set = true;
  if (descriptor.kind == OptionKind::kTree) return out;
  if (descriptor.kind == OptionKind::kTextList && value.kind == Located::Kind::kList) {
    if (!read_text_list(value, descriptor, out, diagnostics)) return std::nullopt;
    return out;
  }
  if (!value.is_scalar()) {
    const bool null = value.kind == Located::Kind::kNull;
    diagnostics.error(
        ErrorCode::kWrongShape, value.position,
        null ? fmt::format("`{}` has no value; it needs {}", descriptor.name, needed_kind(descriptor))
             : fmt::format("`{}` needs {}, not {}", descriptor.name, needed_kind(descriptor), describe_kind(value)));
    return std::nullopt;
  }
  if (!ScalarConverter(value, descriptor, diagnostics).convert(out)) return std::nullopt;
  return out;
}

void report_unknown_field(std::string_view name, Position at, std::string_view place,
                          std::span<const std::string_view> known, Diagnostics& diagnostics) {
  const std::string near = nearest_name(name, known);
  std::string help;
  if (!near.empty()) {
    help = fmt::format("a field with a similar name exists: `{}`", near);
  } else if (known.size() <= kListedNamesMax && !known.empty()) {
    help = "fields here: ";
    for (size_t i = 0; i < known.size(); ++i) help += (i == 0 ? "" : ", ") + std::string(known[i]);
  }
  diagnostics.error(ErrorCode::kUnknownField, at, fmt::format("unknown field `{}` in {}", name, place), help,
                    underlined(name));
}

OptionReader::OptionReader(const Located& map, std::string place, Diagnostics& diagnostics)
    : map_(map), place_(std::move(place)), diagnostics_(diagnostics) {
  if (map.kind == Located::Kind::kMap || map.kind == Located::Kind::kNull) return;
  usable_ = false;
  diagnostics_.error(ErrorCode::kWrongShape, map.position,
                     fmt::format("{} needs a mapping of fields, not {}", place_, describe_kind(map)));
}

OptionValues OptionReader::read(std::span<const OptionDescriptor> descriptors) {
  OptionValues values;
  for (const OptionDescriptor& descriptor : descriptors) {
    accept(descriptor.name);
    const Located* written = map_.find(descriptor.name);
    if (written == nullptr) {
      if (descriptor.required) missing(descriptor);
      values.set(descriptor.name, default_value(descriptor));
      continue;
    }
    std::optional<OptionValue> value = read_option(*written, descriptor, diagnostics_);
    values.set(descriptor.name, value ? std::move(*value) : default_value(descriptor));
  }
  return values;
}

void OptionReader::missing(const OptionDescriptor& descriptor) {
  if (!usable_) return;
  std::string help = descriptor.help;
  if (!descriptor.example.empty()) help = fmt::format("for example `{}: {}`", descriptor.name, descriptor.example);
  diagnostics_.error(ErrorCode::kMissingField, map_.position,
                     fmt::format("{} needs the field `{}`", place_, descriptor.name), std::move(help));
}

void OptionReader::accept(std::string_view name) {
  if (std::ranges::find(known_, name) == known_.end()) known_.emplace_back(name);
}

void OptionReader::finish() {
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const Located::Entry& entry : map_.entries) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    report_unknown_field(entry.key, entry.key_position, place_, known, diagnostics_);
  }
}

OptionValues read_options(const Located& map, std::span<const OptionDescriptor> descriptors, std::string place,
                          Diagnostics& diagnostics) {
  OptionReader reader(map, std::move(place), diagnostics);
  OptionValues values = reader.read(descriptors);
  reader.finish();
  return values;
}

}  // namespace millrace
