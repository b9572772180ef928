#include "runtime/state_rows/row_conversion.h"

#include <cstring>

#include "data/row_codec.h"
#include "runtime/state_rows/widen.h"

namespace millrace {

namespace {

std::unexpected<Error> bad_row(const StateSchema& schema) {
  return make_error(ErrorCode::kCorruptState, "a row of state `" + schema.name + "` does not fit its layout",
                    "restore an older checkpoint with --restore, or start with --fresh");
}

}  // namespace

Result<std::unique_ptr<RowConversion>> RowConversion::make(StateSchema from, StateSchema to, FormerNames names,
                                                           const FunctionRegistry& functions) {
  const MatchReport report = match_state(from, to, names);
  if (!report.ok()) return make_error(ErrorCode::kIncompatibleState, report.refused);
  std::unique_ptr<RowConversion> made(new RowConversion(std::move(from), std::move(to), std::move(names), functions));
  MatchReport again;
  made->aggregate_places_ = match_aggregates(made->from_.value, made->to_.value, made->names_, again);
  return made;
}

Result<std::string> RowConversion::convert(std::string_view value) {
  ByteReader in(value);
  ByteWriter out;
  bool keep = true;
  MR_TRY(fields(from_.value, to_.value, in, out, keep));
  MR_TRY(aggregates(from_.value, to_.value, in, out));
  if (!in.done()) return bad_row(from_);
  return out.take();
}

/// Everything but accumulators, which stand behind the rest. `keep`: false when a choice is not there any more.
Status RowConversion::fields(const std::vector<StateField>& from, const std::vector<StateField>& to, ByteReader& in,
                             ByteWriter& out, bool& keep) {
  size_t at = 0;
  for (const StateField& wanted : to) {
    if (wanted.aggregate) continue;
    while (from[at].aggregate) ++at;
    MR_TRY(field(from[at++], wanted, in, out, keep));
    if (!in.ok()) return bad_row(from_);
  }
  return {};
}

Status RowConversion::field(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out, bool& keep) {
  switch (to.form) {
    case StateForm::kInt64:
    case StateForm::kTime:
    case StateForm::kUint64:
      out.put(in.get<uint64_t>());
      return {};
    case StateForm::kUint32:
      out.put(in.get<uint32_t>());
      return {};
    case StateForm::kFlag:
      out.put(in.get<uint8_t>());
      return {};
    case StateForm::kChoice: {
      const auto held = static_cast<int32_t>(in.get<uint32_t>());
      auto [places, fresh] = places_.try_emplace(&to);
      MatchReport ignored;
      if (fresh) places->second = match_choices(from.names, to.names, names_, ignored);
      const auto found = std::ranges::find(places->second, held);
      keep = keep && found != places->second.end();
      out.put(static_cast<uint32_t>(found - places->second.begin()));
      return {};
    }
    case StateForm::kBytes:
      out.put_string(in.get_string());
      return {};
    case StateForm::kRest:
    case StateForm::kKey:
    case StateForm::kKeyAlone:
      out.put_raw(in.get_raw(in.left()));
      return {};
    case StateForm::kRow:
      return row(from, to, in, out);
    case StateForm::kList:
      return list(from, to, in, out);
    case StateForm::kOptional: {
      const auto set = in.get<uint8_t>();
      out.put(set);
      return set == 0 ? Status{} : fields(from.parts, to.parts, in, out, keep);
    }
    case StateForm::kCells:
      return cells(from, to, in, out);
    case StateForm::kAggregate:
      break;
  }
  return {};
}

Status RowConversion::list(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out) {
  const uint64_t count = in.get_varint();
  uint64_t kept = 0;
  ByteWriter elements;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    bool keep = true;
    ByteWriter element;
    MR_TRY(fields(from.parts, to.parts, in, element, keep));
    if (!keep) continue;
    elements.put_raw(element.view());
    ++kept;
  }
  out.put_varint(kept);
  out.put_raw(elements.view());
  return {};
}

Status RowConversion::row(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out) {
  const std::string_view held = in.get_string();
  if (held.empty()) {
    out.put_string({});
    return {};
  }
  auto [places, fresh] = places_.try_emplace(&to);
  MatchReport ignored;
  if (fresh) places->second = match_columns(from.columns, to.columns, names_, ignored);
  const auto arena = std::make_shared<Arena>();
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : from.columns) columns.push_back(make_column(*field.type));
  if (!decode_row(held, columns, *arena)) return bad_row(from_);
  Batch converted;
  converted.rows = 1;
  for (size_t i = 0; i < to.columns.size(); ++i) {
    auto column = make_column(*to.columns[i].type);
    const int32_t place = places->second[i];
    if (place < 0) {
      append_null(*column);
    } else {
      const auto at = static_cast<size_t>(place);
      append_widened(*columns[at], *from.columns[at].type, *column, *to.columns[i].type);
    }
    converted.columns.push_back(std::move(column));
  }
  std::string bytes;
  encode_row(converted, 0, bytes);
  out.put_string(bytes);
  return {};
}

/// Each cell is converted by itself, then they are put down in the new order.
Status RowConversion::cells(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out) {
  auto [places, fresh] = places_.try_emplace(&to);
  MatchReport ignored;
  if (fresh) places->second = match_cells(from.parts, to.parts, names_, ignored);
  const uint64_t count = in.get_varint();
  if (count > from.parts.size()) return bad_row(from_);
  std::vector<std::string> converted(to.parts.size(), std::string(1, '\0'));
  for (size_t i = 0; i < count && in.ok(); ++i) {
    const auto wanted = std::ranges::find(places->second, static_cast<int32_t>(i));
    const bool dropped = wanted == places->second.end();
    const auto target = static_cast<size_t>(wanted - places->second.begin());
    ByteWriter cell;
    bool keep = true;
    MR_TRY(field(from.parts[i], dropped ? from.parts[i] : to.parts[target], in, cell, keep));
    if (!dropped) converted[target] = cell.take();
  }
  out.put_varint(converted.size());
  for (const std::string& cell : converted) out.put_raw(cell);
  return {};
}

Result<AggregatePart*> RowConversion::part(const StateField& field) {
  std::unique_ptr<AggregatePart>& part = parts_[&field];
  if (!part) {
    MR_ASSIGN(part, AggregatePart::make(field.aggregate, functions_));
  }
  return part.get();
}

Status RowConversion::aggregates(const std::vector<StateField>& from, const std::vector<StateField>& to, ByteReader& in,
                                 ByteWriter& out) {
  std::vector<std::string> held(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from[i].aggregate) continue;
    MR_ASSIGN(AggregatePart * accumulator, part(from[i]));
    MR_TRY(accumulator->load(in));
    ByteWriter bytes;
    accumulator->save(bytes);
    held[i] = bytes.take();
  }
  for (size_t i = 0; i < to.size(); ++i) {
    if (!to[i].aggregate) continue;
    const int32_t place = aggregate_places_[i];
    if (place < 0) {
      MR_ASSIGN(AggregatePart * accumulator, part(to[i]));
      accumulator->clear();
      accumulator->save(out);
      continue;
    }
    const auto at = static_cast<size_t>(place);
    MR_TRY(widen(*from[at].aggregate, *to[i].aggregate, held[at], out));
  }
  return {};
}

/// MIN, MAX: u8 set, value. FIRST_VALUE, LAST_VALUE: u64 arrival, value (functions/aggregates).
Status RowConversion::widen(const StateAggregate& from, const StateAggregate& to, std::string_view held,
                            ByteWriter& out) const {
  if (fit_aggregate(from, to) == AggregateFit::kSameBytes) {
    out.put_raw(held);
    return {};
  }
  const bool extreme = from.function == "MIN" || from.function == "MAX";
  ByteReader in(held);
  out.put_raw(in.get_raw(extreme ? sizeof(uint8_t) : sizeof(uint64_t)));
  auto column = make_column(*from.args[0]);
  column->resize(1);
  const size_t width = physical_width(column->type());
  const std::string_view value = in.get_raw(width);
  if (!in.done() || width == 0) return bad_row(from_);
  std::memcpy(column->values<char>(), value.data(), width);
  auto wide = make_column(*to.args[0]);
  append_widened(*column, *from.args[0], *wide, *to.args[0]);
  out.put_raw({wide->values<char>(), physical_width(wide->type())});
  return {};
}

}  // namespace millrace
