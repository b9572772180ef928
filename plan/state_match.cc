#include "plan/state_match.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

namespace {

const std::string& former_name(const FormerNames& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

std::string sql_type(const DataType& type) { return type.to_string() + (type.nullable ? "" : " NOT NULL"); }

std::string columns_text(const std::vector<Field>& columns) {
  std::string text;
  for (const Field& field : columns) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", field.name, sql_type(*field.type));
  }
  return "(" + text + ")";
}

bool same_args(const StateAggregate& a, const StateAggregate& b) {
  return std::ranges::equal(a.args, b.args, [](const TypePtr& x, const TypePtr& y) { return same_type(*x, *y); });
}

}  // namespace

std::string part_change_text(const PartChange& change) {
  switch (change.fate) {
    case PartFate::kAdded:
      return fmt::format("`{}` is new and starts empty", change.name);
    case PartFate::kDropped:
      return fmt::format("`{}` is dropped", change.name);
    case PartFate::kWidened:
      return fmt::format("`{}` grows from {} to {}", change.name, change.was, change.now);
    case PartFate::kRenamed:
      return fmt::format("`{}` was `{}`", change.name, change.was);
  }
  return {};
}

bool can_widen(const DataType& from, const DataType& to) {
  if (same_type(from, to)) return true;
  if (from.is_integer() && to.is_integer()) return from.kind < to.kind;
  if (from.kind == TypeKind::kFloat) return to.kind == TypeKind::kDouble;
  if (from.kind == TypeKind::kDecimal && to.kind == TypeKind::kDecimal) {
    return to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale;
  }
  if (from.is_text() && to.kind == TypeKind::kVarchar) return to.precision >= from.precision;
  // Only the digits that are shown differ.
  return from.is_temporal() && from.kind == to.kind;
}

AggregateFit fit_aggregate(const StateAggregate& from, const StateAggregate& to) {
  if (same_args(from, to)) return AggregateFit::kSameBytes;
  if (from.args.size() != to.args.size() || from.args.empty()) return AggregateFit::kNever;
  const DataType& old_type = *from.args[0];
  const DataType& new_type = *to.args[0];
  for (size_t i = 1; i < from.args.size(); ++i) {
    if (!same_type(*from.args[i], *to.args[i])) return AggregateFit::kNever;
  }
  if (from.function == "COUNT" && !from.distinct) return AggregateFit::kSameBytes;
  if (!can_widen(old_type, new_type)) return AggregateFit::kNever;
  const bool rescaled = old_type.kind == TypeKind::kDecimal && old_type.scale != new_type.scale;
  // Values of sets are kept in the key format, in which all integers and both floating types look alike.
  if (from.distinct) return rescaled ? AggregateFit::kNever : AggregateFit::kSameBytes;
  static constexpr std::string_view kSums[] = {"SUM", "AVG"};
  if (std::ranges::find(kSums, from.function) != std::end(kSums)) {
    return rescaled ? AggregateFit::kNever : AggregateFit::kSameBytes;
  }
  static constexpr std::string_view kValues[] = {"MIN", "MAX", "FIRST_VALUE", "LAST_VALUE"};
  if (std::ranges::find(kValues, from.function) == std::end(kValues)) return AggregateFit::kNever;
  const bool same_bytes = old_type.physical() == new_type.physical() && !rescaled;
  return same_bytes ? AggregateFit::kSameBytes : AggregateFit::kConvert;
}

std::vector<int32_t> match_columns(const std::vector<Field>& from, const std::vector<Field>& to,
                                   const FormerNames& names, MatchReport& report) {
  std::vector<int32_t> places;
  std::vector<bool> used(from.size(), false);
  for (const Field& field : to) {
    const std::string& former = former_name(names, field.name);
    const auto found = std::ranges::find(from, former, &Field::name);
    if (found == from.end()) {
      places.push_back(-1);
      if (!field.type->nullable) {
        report.refuse(fmt::format(
            "the column `{}` is new and NOT NULL, and the rows that are kept have no value for it", field.name));
      }
      report.changes.push_back({PartFate::kAdded, field.name, "", ""});
      continue;
    }
    const auto place = static_cast<size_t>(found - from.begin());
    places.push_back(static_cast<int32_t>(place));
    used[place] = true;
    if (former != field.name) report.changes.push_back({PartFate::kRenamed, field.name, former, ""});
    if (!can_widen(*found->type, *field.type)) {
      report.refuse(
          fmt::format("the column `{}` was {}, is {}", field.name, sql_type(*found->type), sql_type(*field.type)));
    } else if (!same_type(*found->type, *field.type)) {
      report.changes.push_back({PartFate::kWidened, field.name, found->type->to_string(), field.type->to_string()});
    }
    if (found->type->nullable && !field.type->nullable) {
      report.refuse(
          fmt::format("the column `{}` is NOT NULL now, and the rows that are kept may hold NULL", field.name));
    }
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (!used[i]) report.changes.push_back({PartFate::kDropped, from[i].name, "", ""});
  }
  return places;
}

namespace {

/// Finds what a call continues: the call that `was:` names, the same call under the same name, the same call at all.
class AggregateMatcher {
 public:
  AggregateMatcher(const std::vector<StateField>& from, const FormerNames& names, MatchReport& report)
      : from_(from), names_(names), report_(report), used_(from.size(), false) {}

  int32_t match(const StateAggregate& call) {
    const auto named = names_.find(call.output);
    int32_t place = -1;
    if (named != names_.end()) {
      place = find([&](const StateAggregate& held) {
        return held.output == named->second && held.number == call.number && held.function == call.function &&
               held.distinct == call.distinct;
      });
    } else {
      place = find([&](const StateAggregate& held) { return held.text == call.text && held.output == call.output; });
      if (place < 0) place = find([&](const StateAggregate& held) { return held.text == call.text; });
    }
    if (place < 0) {
      refuse_another_meaning(call);
      report_.changes.push_back({PartFate::kAdded, label(call), "", ""});
      return -1;
    }
    const StateAggregate& held = *from_[static_cast<size_t>(place)].aggregate;
    used_[static_cast<size_t>(place)] = true;
    if (held.output != call.output) report_.changes.push_back({PartFate::kRenamed, label(call), label(held), ""});
    note_types(held, call);
    return place;
  }

  void note_dropped() {
    for (size_t i = 0; i < from_.size(); ++i) {
      if (from_[i].aggregate && !used_[i]) {
        report_.changes.push_back({PartFate::kDropped, label(*from_[i].aggregate), "", ""});
      }
    }
  }

 private:
  static std::string label(const StateAggregate& call) { return call.output + ": " + call.text; }

  template <class F>
  int32_t find(F&& fits) const {
    for (size_t i = 0; i < from_.size(); ++i) {
      if (from_[i].aggregate && fits(*from_[i].aggregate)) return static_cast<int32_t>(i);
    }
    return -1;
  }

  /// Under one name two things would be shown as one.
  void refuse_another_meaning(const StateAggregate& call) {
    const int32_t held =
        find([&](const StateAggregate& one) { return one.output == call.output && call.number == one.number; });
    if (held < 0 || call.output == "having") return;
    report_.refuse(
        fmt::format("`{}` was {}, is {}", call.output, from_[static_cast<size_t>(held)].aggregate->text, call.text));
  }

  void note_types(const StateAggregate& held, const StateAggregate& call) {
    if (fit_aggregate(held, call) == AggregateFit::kNever) {
      std::string was;
      std::string now;
      for (const TypePtr& type : held.args) was += (was.empty() ? "" : ", ") + type->to_string();
      for (const TypePtr& type : call.args) now += (now.empty() ? "" : ", ") + type->to_string();
      report_.refuse(fmt::format("`{}` is {} of {} now, and was of {}", call.output, call.text, now, was));
      return;
    }
    for (size_t i = 0; i < held.args.size() && i < call.args.size(); ++i) {
      if (same_type(*held.args[i], *call.args[i])) continue;
      report_.changes.push_back(
          {PartFate::kWidened, label(call), held.args[i]->to_string(), call.args[i]->to_string()});
    }
  }

  const std::vector<StateField>& from_;
  const FormerNames& names_;
  MatchReport& report_;
  std::vector<bool> used_;
};

}  // namespace

std::vector<int32_t> match_aggregates(const std::vector<StateField>& from, const std::vector<StateField>& to,
                                      const FormerNames& names, MatchReport& report) {
  AggregateMatcher matcher(from, names, report);
  std::vector<int32_t> places;
  for (const StateField& field : to) places.push_back(field.aggregate ? matcher.match(*field.aggregate) : -1);
  matcher.note_dropped();
  return places;
}

std::vector<int32_t> match_cells(const std::vector<StateField>& from, const std::vector<StateField>& to,
                                 const FormerNames& names, MatchReport& report) {
  std::vector<int32_t> places;
  std::vector<bool> used(from.size(), false);
  for (const StateField& cell : to) {
    const std::string& former = former_name(names, cell.name);
    const auto found = std::ranges::find(from, former, &StateField::name);
    if (found == from.end()) {
      report.changes.push_back({PartFate::kAdded, cell.name, "", ""});
      places.push_back(-1);
      continue;
    }
    if (former != cell.name) report.changes.push_back({PartFate::kRenamed, cell.name, former, ""});
    used[static_cast<size_t>(found - from.begin())] = true;
    places.push_back(static_cast<int32_t>(found - from.begin()));
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (!used[i]) report.changes.push_back({PartFate::kDropped, from[i].name, "", ""});
  }
  return places;
}

std::vector<int32_t> match_choices(const std::vector<std::string>& from, const std::vector<std::string>& to,
                                   const FormerNames& names, MatchReport& report) {
  std::vector<int32_t> places;
  std::vector<bool> used(from.size(), false);
  for (const std::string& name : to) {
    const auto found = std::ranges::find(from, former_name(names, name));
    places.push_back(found == from.end() ? -1 : static_cast<int32_t>(found - from.begin()));
    if (found != from.end()) used[static_cast<size_t>(found - from.begin())] = true;
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (!used[i]) report.changes.push_back({PartFate::kDropped, from[i], "", ""});
  }
  return places;
}

namespace {

void match_fields(const std::vector<StateField>& from, const std::vector<StateField>& to, const FormerNames& names,
                  MatchReport& report);

void match_field(const StateField& from, const StateField& to, const FormerNames& names, MatchReport& report) {
  if (from.form != to.form) {
    report.refuse(fmt::format("`{}` is kept in another form", to.name));
    return;
  }
  switch (to.form) {
    case StateForm::kRow:
      (void)match_columns(from.columns, to.columns, names, report);
      break;
    case StateForm::kKey:
    case StateForm::kKeyAlone:
      if (!std::ranges::equal(from.columns, to.columns,
                              [](const Field& a, const Field& b) { return same_type(*a.type, *b.type); })) {
        report.refuse(fmt::format("the key was {}, is {}", columns_text(from.columns), columns_text(to.columns)));
      }
      break;
    case StateForm::kCells: {
      const std::vector<int32_t> places = match_cells(from.parts, to.parts, names, report);
      for (size_t i = 0; i < places.size(); ++i) {
        if (places[i] >= 0)
          match_fields(from.parts[static_cast<size_t>(places[i])].parts, to.parts[i].parts, names, report);
      }
      break;
    }
    case StateForm::kChoice:
      (void)match_choices(from.names, to.names, names, report);
      break;
    default:
      match_fields(from.parts, to.parts, names, report);
  }
}

void match_fields(const std::vector<StateField>& from, const std::vector<StateField>& to, const FormerNames& names,
                  MatchReport& report) {
  std::vector<const StateField*> held;
  std::vector<const StateField*> wanted;
  for (const StateField& field : from) {
    if (!field.aggregate) held.push_back(&field);
  }
  for (const StateField& field : to) {
    if (!field.aggregate) wanted.push_back(&field);
  }
  if (held.size() != wanted.size()) {
    report.refuse("its rows have other parts");
    return;
  }
  for (size_t i = 0; i < wanted.size(); ++i) match_field(*held[i], *wanted[i], names, report);
  const bool aggregates = held.size() < from.size() || wanted.size() < to.size();
  if (aggregates) (void)match_aggregates(from, to, names, report);
}

}  // namespace

MatchReport match_state(const StateSchema& from, const StateSchema& to, const FormerNames& names) {
  MatchReport report;
  if (from.form != to.form) {
    report.refuse(fmt::format("it was written by a {}, the step is a {} now", from.form, to.form));
    return report;
  }
  for (const auto& [name, value] : to.rules) {
    const auto found = std::ranges::find(from.rules, name, &std::pair<std::string, std::string>::first);
    const std::string was = found == from.rules.end() ? "not set" : found->second;
    if (was != value) report.refuse(fmt::format("`{}` was {}, is {}", name, was, value));
  }
  for (const auto& [name, value] : from.rules) {
    const auto found = std::ranges::find(to.rules, name, &std::pair<std::string, std::string>::first);
    if (found == to.rules.end()) report.refuse(fmt::format("`{}` was {}, is not set", name, value));
  }
  match_fields(from.key, to.key, names, report);
  match_fields(from.value, to.value, names, report);
  // One column stands in several parts of a state; one line about it is enough.
  std::vector<PartChange> once;
  for (PartChange& change : report.changes) {
    if (std::ranges::find(once, change) == once.end()) once.push_back(std::move(change));
  }
  report.changes = std::move(once);
  return report;
}

}  // namespace millrace
