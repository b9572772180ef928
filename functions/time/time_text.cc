// Between times and texts by a pattern, epoch numbers and time zones.
#include <fmt/format.h>

#include "data/datetime.h"
#include "functions/signature.h"
#include "functions/time/format.h"
#include "functions/time/time.h"
#include "functions/time/zone.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

constexpr std::string_view kDefaultPattern = "yyyy-MM-dd HH:mm:ss";
constexpr int64_t kSecondsMin = -62'167'219'200;  // 0000-01-01
constexpr int64_t kSecondsMax = 253'402'300'799;  // 9999-12-31 23:59:59

/// The format of each row: compiled at type checking when the pattern is a literal, else when it changes.
class RowFormat {
 public:
  RowFormat(const KernelArgs& call, size_t index, FormatStyle style)
      : call_(call), index_(index), style_(style), bound_(static_cast<const TimeFormat*>(call.bound)) {}
  /// Null when the row failed (the error is marked).
  const TimeFormat* at(uint32_t row) {
    if (bound_ != nullptr) return bound_;
    std::string_view pattern = TextReader(call_, index_).text(row);
    if (!current_ || pattern != pattern_) {
      auto compiled = TimeFormat::compile(pattern, style_);
      if (!compiled) {
        current_.reset();
        call_.fail(row, compiled.error().message);
        return nullptr;
      }
      current_ = std::move(*compiled);
      pattern_ = pattern;
    }
    return &*current_;
  }

 private:
  const KernelArgs& call_;
  size_t index_;
  FormatStyle style_;
  const TimeFormat* bound_;
  std::optional<TimeFormat> current_;
  std::string pattern_;
};

/// Binds the pattern at `index`, or the default one when the argument is absent.
Result<std::shared_ptr<const void>> bind_format(ArgTypes types, ArgLiterals literals, size_t index, FormatStyle style,
                                                std::string_view otherwise) {
  std::string_view pattern = otherwise;
  if (index < types.size()) {
    const std::string* literal = literal_text(literals, index);
    if (literal == nullptr) return std::shared_ptr<const void>();
    pattern = *literal;
  }
  if (pattern.empty()) return std::shared_ptr<const void>();
  MR_ASSIGN(TimeFormat format, TimeFormat::compile(pattern, style));
  return std::shared_ptr<const void>(std::make_shared<const TimeFormat>(std::move(format)));
}

void date_format_kernel(const KernelArgs& call) {
  RowFormat formats(call, 1, FormatStyle::kStrict);
  const bool text = call.types[0]->is_text();
  std::string out;
  for (uint32_t row : call.rows) {
    const TimeFormat* format = formats.at(row);
    if (format == nullptr) continue;
    int64_t millis = 0;
    if (text) {
      auto parsed = parse_timestamp(TextReader(call, 0).text(row));
      if (!parsed) {
        call.out.set_null(row);
        continue;
      }
      millis = *parsed;
    } else {
      millis = temporal_millis(*call.types[0], IntegerReader(call, 0)[row]);
    }
    out.clear();
    format->append(out, millis);
    put_text(call, row, out);
  }
}

Result<ResolvedCall> resolve_date_format(ArgTypes types, ArgLiterals literals) {
  bool time =
      types.size() == 2 && (types[0]->kind == TypeKind::kTimestamp || types[0]->kind == TypeKind::kTimestampLtz ||
                            types[0]->kind == TypeKind::kDate || types[0]->is_text());
  if (!time || !types[1]->is_text()) return argument_error("DATE_FORMAT", types, "DATE_FORMAT(time, pattern)");
  MR_ASSIGN(auto bound, bind_format(types, literals, 1, FormatStyle::kStrict, ""));
  return ResolvedCall{make_string(true), {types.begin(), types.end()}, bound};
}

void to_timestamp_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowFormat formats(call, 1, FormatStyle::kStrict);
  for (uint32_t row : call.rows) {
    std::optional<int64_t> millis;
    if (call.args.size() == 1) {
      millis = parse_timestamp(a.text(row));
    } else {
      const TimeFormat* format = formats.at(row);
      if (format == nullptr) continue;
      millis = format->parse(a.text(row));
    }
    if (millis)
      put_integer(call.out, row, *millis);
    else
      call.out.set_null(row);
  }
}

void to_date_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  RowFormat formats(call, 1, FormatStyle::kLenient);
  for (uint32_t row : call.rows) {
    std::optional<int64_t> days;
    if (call.args.size() == 1) {
      if (auto parsed = parse_date(a.text(row))) days = *parsed;
    } else {
      const TimeFormat* format = formats.at(row);
      if (format == nullptr) continue;
      if (auto millis = format->parse(a.text(row))) days = floor_div(*millis, kMillisPerDay);
    }
    if (days)
      put_integer(call.out, row, *days);
    else
      call.out.set_null(row);
  }
}

ResolveFunction resolve_parse(std::string name, TypePtr result, FormatStyle style) {
  return [=](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    PlainFunction shape{.name = name, .args = {ArgClass::kText, ArgClass::kText}, .optional = 1};
    MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
    MR_ASSIGN(auto bound, bind_format(types, literals, 1, style, ""));
    return ResolvedCall{result, std::move(targets), bound};
  };
}

void unix_timestamp_kernel(const KernelArgs& call) {
  int64_t* out = call.out.values<int64_t>();
  if (call.args.empty()) {
    for (uint32_t row : call.rows) out[row] = call.now_ms / 1000;
    return;
  }
  TextReader a(call, 0);
  RowFormat formats(call, 1, FormatStyle::kLenient);
  for (uint32_t row : call.rows) {
    const TimeFormat* format = formats.at(row);
    if (format == nullptr) continue;
    // Flink's answer for a text that does not fit is Long.MIN milliseconds.
    out[row] = floor_div(format->parse(a.text(row)).value_or(INT64_MIN / 1000 * 1000), 1000);
  }
}

Result<ResolvedCall> resolve_unix_timestamp(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "UNIX_TIMESTAMP", .args = {ArgClass::kText, ArgClass::kText}, .optional = 2};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  MR_ASSIGN(auto bound, bind_format(types, literals, 1, FormatStyle::kLenient, kDefaultPattern));
  return ResolvedCall{make_type(TypeKind::kBigInt, any_nullable(targets)), std::move(targets), bound};
}

void from_unixtime_kernel(const KernelArgs& call) {
  IntegerReader a(call, 0);
  RowFormat formats(call, 1, FormatStyle::kLenient);
  std::string out;
  for (uint32_t row : call.rows) {
    const TimeFormat* format = formats.at(row);
    if (format == nullptr) continue;
    out.clear();
    // Seconds beyond the range of milliseconds wrap, as in Flink.
    format->append(out, static_cast<int64_t>(static_cast<uint64_t>(a[row]) * 1000U));
    put_text(call, row, out);
  }
}

Result<ResolvedCall> resolve_from_unixtime(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "FROM_UNIXTIME", .args = {ArgClass::kInteger, ArgClass::kText}, .optional = 1};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  MR_ASSIGN(auto bound, bind_format(types, literals, 1, FormatStyle::kLenient, kDefaultPattern));
  return ResolvedCall{make_string(true), std::move(targets), bound};
}

/// (number[, precision 0 or 3]) or (text[, pattern[, zone]]).
void to_timestamp_ltz_kernel(const KernelArgs& call) {
  int64_t* out = call.out.values<int64_t>();
  if (call.types[0]->is_integer()) {
    IntegerReader a(call, 0);
    for (uint32_t row : call.rows) {
      bool seconds = call.args.size() > 1 && IntegerReader(call, 1)[row] == 0;
      bool known = seconds || call.args.size() == 1 || IntegerReader(call, 1)[row] == 3;
      if (!known) {
        call.fail(row, "the precision of TO_TIMESTAMP_LTZ is 0 (seconds) or 3 (milliseconds)");
        continue;
      }
      int64_t value = a[row];
      bool in_range = seconds ? value >= kSecondsMin && value <= kSecondsMax
                              : value >= kSecondsMin * 1000 && value <= kSecondsMax * 1000 + 999;
      if (in_range)
        out[row] = seconds ? value * 1000 : value;
      else
        call.out.set_null(row);
    }
    return;
  }
  TextReader a(call, 0);
  RowFormat formats(call, 1, FormatStyle::kStrict);
  for (uint32_t row : call.rows) {
    const TimeFormat* format = call.args.size() > 1 ? formats.at(row) : nullptr;
    if (call.args.size() > 1 && format == nullptr) continue;
    auto millis = format != nullptr ? format->parse(a.text(row)) : parse_timestamp(a.text(row));
    if (millis && call.args.size() > 2) {
      auto zone = TimeZone::find(TextReader(call, 2).text(row));
      if (!zone) {
        call.fail(row, zone.error().message);
        continue;
      }
      int64_t fraction = floor_mod(*millis, 1000);
      millis = (*zone)->to_utc(floor_div(*millis, 1000)) * 1000 + fraction;
    }
    if (millis)
      out[row] = *millis;
    else
      call.out.set_null(row);
  }
}

Result<ResolvedCall> resolve_to_timestamp_ltz(ArgTypes types, ArgLiterals literals) {
  TypePtr result = make_temporal(TypeKind::kTimestampLtz, 3, true);
  if (!types.empty() && types[0]->is_numeric()) {
    bool fits = types.size() <= 2 && (types.size() < 2 || types[1]->is_integer());
    if (!fits) return argument_error("TO_TIMESTAMP_LTZ", types, "TO_TIMESTAMP_LTZ(number[, 0 or 3])");
    if (!types[0]->is_integer()) {
      return make_error(ErrorCode::kNotSupportedYet, "TO_TIMESTAMP_LTZ of a fraction is not supported by this build",
                        "CAST it to BIGINT");
    }
    const int64_t* precision = literal_integer(literals, 1);
    if (precision != nullptr && *precision != 0 && *precision != 3) {
      return argument_error("TO_TIMESTAMP_LTZ", types, "a precision of 0 (seconds) or 3 (milliseconds)");
    }
    return ResolvedCall{result, {types.begin(), types.end()}, nullptr};
  }
  PlainFunction shape{
      .name = "TO_TIMESTAMP_LTZ", .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText}, .optional = 2};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  MR_ASSIGN(auto bound, bind_format(types, literals, 1, FormatStyle::kStrict, ""));
  if (const std::string* zone = literal_text(literals, 2)) {
    MR_ASSIGN([[maybe_unused]] TimeZonePtr known, TimeZone::find(*zone));
  }
  return ResolvedCall{result, std::move(targets), bound};
}

/// (time, zone): between a moment and the local time of a zone. The checker writes these calls for the job's time zone.
template <bool kToLocal>
void zone_kernel(const KernelArgs& call) {
  const TimeZone& zone = **static_cast<const TimeZonePtr*>(call.bound);
  IntegerReader times(call, 0);
  auto* out = call.out.values<int64_t>();
  for (uint32_t row : call.rows) {
    const int64_t seconds = floor_div(times[row], 1000);
    const int64_t to = kToLocal ? seconds + zone.offset_at(seconds) : zone.to_utc(seconds);
    out[row] = to * 1000 + floor_mod(times[row], 1000);
  }
}

void zone_seconds_kernel(const KernelArgs& call) {
  const TimeZone& zone = **static_cast<const TimeZonePtr*>(call.bound);
  IntegerReader seconds(call, 0);
  auto* out = call.out.values<int64_t>();
  constexpr int64_t kNoTime = -1'000'000'000'000;  // what UNIX_TIMESTAMP answers for no time at all
  for (uint32_t row : call.rows) out[row] = seconds[row] < kNoTime ? seconds[row] : zone.to_utc(seconds[row]);
}

ResolveFunction resolve_zone(TypeKind result) {
  return [result](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    const std::string* name = literal_text(literals, 1);
    if (name == nullptr) return make_error(ErrorCode::kInternal, "a time zone is a literal");
    MR_ASSIGN(TimeZonePtr zone, TimeZone::find(*name));
    const TypePtr type =
        result == TypeKind::kBigInt ? make_type(result, false) : make_temporal(result, types[0]->precision, false);
    return ResolvedCall{type, {types.begin(), types.end()}, std::make_shared<const TimeZonePtr>(std::move(zone))};
  };
}

/// (text, from zone, to zone).
void convert_tz_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader from(call, 1);
  TextReader to(call, 2);
  const auto& format = *static_cast<const TimeFormat*>(call.bound);
  for (uint32_t row : call.rows) {
    auto source = TimeZone::find(from.text(row));
    auto target = TimeZone::find(to.text(row));
    if (!source || !target) {
      call.fail(row, source ? target.error().message : source.error().message);
      continue;
    }
    auto local = format.parse(a.text(row));
    if (!local) {
      call.out.set_null(row);
      continue;
    }
    int64_t utc = (*source)->to_utc(floor_div(*local, 1000));
    std::string out;
    format.append(out, (utc + (*target)->offset_at(utc)) * 1000);
    put_text(call, row, out);
  }
}

Result<ResolvedCall> resolve_convert_tz(ArgTypes types, ArgLiterals literals) {
  PlainFunction shape{.name = "CONVERT_TZ", .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText}};
  MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(shape, types));
  for (size_t i : {size_t{1}, size_t{2}}) {
    if (const std::string* zone = literal_text(literals, i)) {
      MR_ASSIGN([[maybe_unused]] TimeZonePtr known, TimeZone::find(*zone));
    }
  }
  MR_ASSIGN(TimeFormat format, TimeFormat::compile(kDefaultPattern, FormatStyle::kLenient));
  return ResolvedCall{make_string(true), std::move(targets), std::make_shared<const TimeFormat>(std::move(format))};
}

}  // namespace

void register_time_text(FunctionRegistry& registry) {
  add_function(registry, "DATE_FORMAT", resolve_date_format, date_format_kernel, "DATE_FORMAT(time, pattern)");
  add_function(registry, "TO_TIMESTAMP",
               resolve_parse("TO_TIMESTAMP", make_temporal(TypeKind::kTimestamp, 3, true), FormatStyle::kStrict),
               to_timestamp_kernel, "TO_TIMESTAMP(text[, pattern])");
  add_function(registry, "TO_DATE", resolve_parse("TO_DATE", make_type(TypeKind::kDate, true), FormatStyle::kLenient),
               to_date_kernel, "TO_DATE(text[, pattern])");
  add_function(registry, "UNIX_TIMESTAMP", resolve_unix_timestamp, unix_timestamp_kernel, "seconds since 1970",
               {true, false});
  add_function(registry, "FROM_UNIXTIME", resolve_from_unixtime, from_unixtime_kernel,
               "FROM_UNIXTIME(seconds[, pattern])");
  add_function(registry, "TO_TIMESTAMP_LTZ", resolve_to_timestamp_ltz, to_timestamp_ltz_kernel,
               "TO_TIMESTAMP_LTZ(number[, precision]) or (text[, pattern[, zone]])");
  add_function(registry, "LOCAL OF LTZ", resolve_zone(TypeKind::kTimestamp), zone_kernel<true>, "a local time");
  add_function(registry, "LTZ OF LOCAL", resolve_zone(TypeKind::kTimestampLtz), zone_kernel<false>, "a moment");
  add_function(registry, "SECONDS OF LOCAL", resolve_zone(TypeKind::kBigInt), zone_seconds_kernel, "epoch seconds");
  add_function(registry, "CONVERT_TZ", resolve_convert_tz, convert_tz_kernel, "CONVERT_TZ(text, from zone, to zone)");
}

}  // namespace millrace
