#include <algorithm>
#include <cctype>
#include <limits>

#include "connectors/datagen/generator.h"
#include "data/decimal.h"
#include "data/number_text.h"

namespace millrace {
namespace {

struct GeneratorArgument {
  std::string text;
  bool quoted = false;
};

struct GeneratorParser {
  std::string_view text;
  const DataType& type;

  void skip_blanks() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  }
  bool take(char c) {
    skip_blanks();
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  std::string word() {
    skip_blanks();
    std::string name;
    while (!text.empty() && (std::isalpha(static_cast<uint8_t>(text.front())) != 0 || text.front() == '_')) {
      name.push_back(static_cast<char>(std::toupper(static_cast<uint8_t>(text.front()))));
      text.remove_prefix(1);
    }
    return name;
  }
  [[nodiscard]] std::unexpected<Error> fail(std::string message) const {
    return make_error(ErrorCode::kBadValue, std::move(message),
                      "generators: SEQUENCE(1, 1000), RANDOM(1, 6), SKEWED(1, 1000), CHOICE('a', 'b'), NOW, LENGTH(8); "
                      "'text' before or behind is added to a STRING, NULLS(0.1) makes a tenth of the values NULL");
  }
  /// 'it''s'
  Result<std::string> quoted() {
    std::string value;
    text.remove_prefix(1);
    for (;;) {
      const size_t end = text.find('\'');
      if (end == std::string_view::npos) return fail("a quote is not closed in the generator");
      value += text.substr(0, end);
      text.remove_prefix(end + 1);
      if (!text.starts_with('\'')) return value;
      value.push_back('\'');
      text.remove_prefix(1);
    }
  }
  Result<std::vector<GeneratorArgument>> arguments() {
    std::vector<GeneratorArgument> all;
    if (!take('(')) return all;
    if (take(')')) return all;
    for (;;) {
      skip_blanks();
      GeneratorArgument argument;
      if (text.starts_with('\'')) {
        MR_ASSIGN(argument.text, quoted());
        argument.quoted = true;
      } else {
        const size_t end = std::min(text.find_first_of(",)"), text.size());
        argument.text = std::string(trim_blanks(text.substr(0, end)));
        text.remove_prefix(end);
      }
      all.push_back(std::move(argument));
      if (take(')')) return all;
      if (!take(',')) return fail("expected , or ) in the generator");
    }
  }
};

bool is_floating(const DataType& type) { return type.kind == TypeKind::kFloat || type.kind == TypeKind::kDouble; }

/// A bound of a range in units of the type.
Result<int128> number_argument(const GeneratorParser& parser, const std::string& text) {
  int128 value = 0;
  const int scale = parser.type.kind == TypeKind::kDecimal ? parser.type.scale : 0;
  const std::string digits = text.starts_with('+') ? text.substr(1) : text;
  if (decimal_parse(digits, kDecimalPrecisionMax, scale, value) != DecimalParse::kOk)
    return parser.fail("'" + text + "' is not a number for a generator of type " + parser.type.to_string());
  return value;
}

Status read_range(const GeneratorParser& parser, const std::vector<GeneratorArgument>& arguments, GeneratorSpec& spec) {
  if (arguments.size() != 2) return parser.fail("a range needs two numbers");
  if (is_floating(parser.type)) {
    const std::optional<double> low = parse_double(arguments[0].text);
    const std::optional<double> high = parse_double(arguments[1].text);
    if (!low || !high || !(*low <= *high)) return parser.fail("a range needs a least and a greatest number");
    spec.low = *low;
    spec.high = *high;
    return {};
  }
  MR_ASSIGN(spec.first, number_argument(parser, arguments[0].text));
  MR_ASSIGN(spec.last, number_argument(parser, arguments[1].text));
  if (spec.first > spec.last) return parser.fail("the least value of the range is above the greatest");
  return {};
}

Status read_sequence(const GeneratorParser& parser, const std::vector<GeneratorArgument>& arguments,
                     GeneratorSpec& spec) {
  if (arguments.empty() || arguments.size() > 3) return parser.fail("SEQUENCE needs one to three numbers");
  MR_ASSIGN(spec.first, number_argument(parser, arguments[0].text));
  spec.step = parser.type.kind == TypeKind::kDecimal ? decimal_power10(parser.type.scale) : 1;
  spec.endless = arguments.size() < 2;
  if (!spec.endless) {
    MR_ASSIGN(spec.last, number_argument(parser, arguments[1].text));
  }
  if (arguments.size() == 3) {
    MR_ASSIGN(spec.step, number_argument(parser, arguments[2].text));
  } else if (!spec.endless && spec.last < spec.first) {
    spec.step = -spec.step;
  }
  if (spec.step == 0) return parser.fail("the step of SEQUENCE is 0");
  if (!spec.endless && (spec.last - spec.first) / spec.step < 0) return parser.fail("SEQUENCE never reaches its end");
  return {};
}

/// What a type gets without a generator.
void use_default(const DataType& type, GeneratorSpec& spec) {
  const auto range = [&](int64_t low, int64_t high) {
    spec.first = low;
    spec.last = high;
  };
  spec.kind = GeneratorSpec::Kind::kRandom;
  switch (type.kind) {
    case TypeKind::kTinyInt:
      return range(-128, 127);
    case TypeKind::kSmallInt:
      return range(-32768, 32767);
    case TypeKind::kInt:
      return range(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    case TypeKind::kBigInt:
      return range(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
    case TypeKind::kBoolean:
      return range(0, 1);
    case TypeKind::kDecimal:
      spec.first = 0;
      spec.last = decimal_power10(type.precision) - 1;
      return;
    case TypeKind::kDate:
      return range(0, 20'000);
    case TypeKind::kTime:
      return range(0, 86'399'999);
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      spec.kind = GeneratorSpec::Kind::kNow;
      return;
    default:
      if (!is_floating(type)) spec.kind = GeneratorSpec::Kind::kLength;
  }
}

Status read_call(GeneratorParser& parser, const std::string& name, GeneratorSpec& spec) {
  MR_ASSIGN(const auto arguments, parser.arguments());
  if (name == "SEQUENCE") {
    spec.kind = GeneratorSpec::Kind::kSequence;
    return read_sequence(parser, arguments, spec);
  }
  if (name == "RANDOM" || name == "SKEWED") {
    spec.kind = name == "RANDOM" ? GeneratorSpec::Kind::kRandom : GeneratorSpec::Kind::kSkewed;
    return read_range(parser, arguments, spec);
  }
  if (name == "CHOICE") {
    spec.kind = GeneratorSpec::Kind::kChoice;
    for (const GeneratorArgument& argument : arguments) spec.choices.push_back(argument.text);
    return spec.choices.empty() ? Status(parser.fail("CHOICE needs values")) : Status{};
  }
  if (name == "NOW") {
    spec.kind = GeneratorSpec::Kind::kNow;
    return {};
  }
  if (name == "LENGTH") {
    spec.kind = GeneratorSpec::Kind::kLength;
    const std::optional<int64_t> length = arguments.size() == 1 ? parse_int64(arguments[0].text) : std::nullopt;
    if (!length || *length < 0 || *length > 1'000'000) return parser.fail("LENGTH needs a number of characters");
    spec.length = static_cast<uint32_t>(*length);
    return {};
  }
  return parser.fail("the generator `" + name + "` does not exist");
}

}  // namespace

std::optional<uint64_t> GeneratorSpec::rows() const {
  if (kind != Kind::kSequence || endless) return std::nullopt;
  return static_cast<uint64_t>((last - first) / step) + 1;
}

Result<GeneratorSpec> parse_generator(std::string_view text, const DataType& type) {
  GeneratorParser parser{text, type};
  GeneratorSpec spec;
  use_default(type, spec);
  const PhysicalType physical = type.physical();
  if (physical == PhysicalType::kList || physical == PhysicalType::kStruct || type.kind == TypeKind::kVariant)
    return parser.fail("datagen makes no values of type " + type.to_string());
  parser.skip_blanks();
  if (parser.text.starts_with('\'')) {
    MR_ASSIGN(spec.prefix, parser.quoted());
  }
  std::string name = parser.word();
  if (!name.empty() && name != "NULLS") {
    MR_TRY(read_call(parser, name, spec));
    parser.skip_blanks();
    if (parser.text.starts_with('\'')) {
      MR_ASSIGN(spec.suffix, parser.quoted());
    }
    name = parser.word();
  }
  if (name == "NULLS") {
    MR_ASSIGN(const auto arguments, parser.arguments());
    const std::optional<double> share = arguments.size() == 1 ? parse_double(arguments[0].text) : std::nullopt;
    if (!share || *share < 0 || *share > 1) return parser.fail("NULLS needs a share between 0 and 1");
    if (!type.nullable && *share > 0) return parser.fail("a NOT NULL column cannot have NULLS");
    spec.null_share = *share;
    name.clear();
  }
  parser.skip_blanks();
  if (!name.empty() || !parser.text.empty())
    return parser.fail("the generator text `" + std::string(text) + "` is not understood");
  if ((!spec.prefix.empty() || !spec.suffix.empty()) && !type.is_text())
    return parser.fail("text around a generator needs a STRING column");
  const bool makes_text = physical == PhysicalType::kString;
  if (spec.kind == GeneratorSpec::Kind::kLength && !makes_text)
    return parser.fail("LENGTH needs a STRING or BYTES column");
  return spec;
}

}  // namespace millrace
