#include "plan/expr/type_rules.h"

#include <algorithm>

namespace millrace {

namespace {

bool is_approximate(const DataType& type) { return type.kind == TypeKind::kFloat || type.kind == TypeKind::kDouble; }
bool is_interval(const DataType& type) {
  return type.kind == TypeKind::kIntervalMillis || type.kind == TypeKind::kIntervalMonths;
}

/// Calcite: between FLOAT and DOUBLE the first one stays, DECIMAL with FLOAT is DOUBLE.
TypePtr merge_numeric(const DataType& a, const DataType& b, bool nullable) {
  if (is_approximate(a) && is_approximate(b)) return make_type(a.kind, nullable);
  if (is_approximate(a) || is_approximate(b)) {
    const DataType& exact = is_approximate(a) ? b : a;
    const DataType& approximate = is_approximate(a) ? a : b;
    return make_type(exact.kind == TypeKind::kDecimal ? TypeKind::kDouble : approximate.kind, nullable);
  }
  if (a.is_integer() && b.is_integer()) return make_type(std::max(a.kind, b.kind), nullable);
  DecimalShape left = decimal_shape(a);
  DecimalShape right = decimal_shape(b);
  int scale = std::max(left.scale, right.scale);
  int digits = std::max(left.precision - left.scale, right.precision - right.scale);
  scale = std::min(scale, kDecimalPrecisionMax - digits);
  return make_decimal(digits + scale, scale, nullable);
}

TypePtr merge_temporal(const TypePtr& a, const TypePtr& b, bool nullable) {
  if (a->kind == b->kind) return with_nullable(a->precision >= b->precision ? a : b, nullable);
  bool timed = (a->kind == TypeKind::kDate || b->kind == TypeKind::kDate) &&
               (a->kind == TypeKind::kTimestamp || b->kind == TypeKind::kTimestamp);
  if (timed) return with_nullable(a->kind == TypeKind::kDate ? b : a, nullable);
  bool zoned = (a->kind == TypeKind::kTimestampLtz && b->kind == TypeKind::kTimestamp) ||
               (b->kind == TypeKind::kTimestampLtz && a->kind == TypeKind::kTimestamp);
  if (zoned) return make_temporal(TypeKind::kTimestampLtz, std::max(a->precision, b->precision), nullable);
  return nullptr;
}

TypePtr merge_nested(const TypePtr& a, const TypePtr& b, bool nullable) {
  if (a->kind != b->kind || a->children.size() != b->children.size()) return nullptr;
  std::vector<TypePtr> children;
  for (size_t i = 0; i < a->children.size(); ++i) {
    TypePtr child = least_restrictive(a->children[i], b->children[i]);
    if (!child) return nullptr;
    children.push_back(std::move(child));
  }
  if (a->kind == TypeKind::kArray) return make_array(children[0], nullable);
  if (a->kind == TypeKind::kMap) return make_map(children[0], children[1], nullable);
  return make_row(a->field_names, std::move(children), nullable);
}

bool is_nested(const DataType& type) {
  return type.kind == TypeKind::kArray || type.kind == TypeKind::kMap || type.kind == TypeKind::kRow;
}

}  // namespace

TypePtr least_restrictive(const TypePtr& a, const TypePtr& b) {
  bool nullable = a->nullable || b->nullable;
  if (a->kind == TypeKind::kNull) return with_nullable(b, true);
  if (b->kind == TypeKind::kNull) return with_nullable(a, true);
  if (same_type(*a, *b)) return with_nullable(a, nullable);
  if (a->is_numeric() && b->is_numeric()) return merge_numeric(*a, *b, nullable);
  if (a->is_text() && b->is_text()) {
    return make_text(TypeKind::kVarchar, std::max(a->precision, b->precision), nullable);
  }
  if (a->is_temporal() && b->is_temporal()) return merge_temporal(a, b, nullable);
  if (is_interval(*a) && a->kind == b->kind) return with_nullable(a, nullable);
  if (is_nested(*a)) return merge_nested(a, b, nullable);
  return nullptr;
}

TypePtr least_restrictive(std::span<const TypePtr> types) {
  TypePtr result;
  for (const TypePtr& type : types) {
    result = result ? least_restrictive(result, type) : type;
    if (!result) return nullptr;
  }
  return result;
}

TypePtr comparison_type(const TypePtr& a, const TypePtr& b) {
  if (TypePtr common = least_restrictive(a, b)) return common;
  bool nullable = a->nullable || b->nullable;
  auto with_text = [&](const TypePtr& text, const TypePtr& other) -> TypePtr {
    bool comparable = other->is_numeric() || other->is_temporal() || other->kind == TypeKind::kBoolean;
    return text->is_text() && comparable ? with_nullable(other, nullable) : nullptr;
  };
  if (TypePtr common = with_text(a, b)) return common;
  return with_text(b, a);
}

bool converts_implicitly(const DataType& from, const DataType& to) {
  if (from.kind == TypeKind::kNull || same_type(from, to)) return true;
  if (from.is_numeric() && to.is_numeric()) {
    if (is_approximate(from)) return to.kind == TypeKind::kDouble || from.kind == to.kind;
    if (is_approximate(to)) return true;
    DecimalShape source = decimal_shape(from);
    DecimalShape target = decimal_shape(to);
    return target.scale >= source.scale && target.precision - target.scale >= source.precision - source.scale;
  }
  if (from.is_text() && to.is_text()) return to.kind == TypeKind::kVarchar && to.precision >= from.precision;
  if (from.kind == TypeKind::kDate) return to.kind == TypeKind::kTimestamp || to.kind == TypeKind::kTimestampLtz;
  bool times = from.kind == TypeKind::kTimestamp || from.kind == TypeKind::kTimestampLtz;
  if (times) return to.kind == TypeKind::kTimestamp || to.kind == TypeKind::kTimestampLtz;
  if (from.kind == TypeKind::kTime) return to.kind == TypeKind::kTime;
  if (is_interval(from)) return from.kind == to.kind;
  if (is_nested(from) && from.kind == to.kind && from.children.size() == to.children.size()) {
    for (size_t i = 0; i < from.children.size(); ++i) {
      if (!converts_implicitly(*from.children[i], *to.children[i])) return false;
    }
    return true;
  }
  return false;
}

CastSupport cast_support(const DataType& from, const DataType& to) {
  using enum TypeKind;
  if (from.kind == kNull || same_type(from, to)) return CastSupport::kYes;
  if (from.kind == kVariant || to.kind == kVariant) return CastSupport::kNotYet;
  if (to.is_text()) return CastSupport::kYes;
  if (is_nested(from) || is_nested(to)) {
    if (from.kind != to.kind || from.children.size() != to.children.size()) return CastSupport::kNo;
    for (size_t i = 0; i < from.children.size(); ++i) {
      CastSupport inner = cast_support(*from.children[i], *to.children[i]);
      if (inner != CastSupport::kYes) return inner;
    }
    return CastSupport::kYes;
  }
  if (from.is_text()) return is_interval(to) ? CastSupport::kNotYet : CastSupport::kYes;
  if (from.kind == kBytes || to.kind == kBytes) return CastSupport::kNo;
  if (from.is_numeric() || from.kind == kBoolean) {
    return to.is_numeric() || to.kind == kBoolean ? CastSupport::kYes : CastSupport::kNo;
  }
  if (from.is_temporal() && to.is_temporal()) {
    if (from.kind == to.kind) return CastSupport::kYes;
    if (from.kind == kTime || from.kind == kDate) {
      return to.kind == kTimestamp || to.kind == kTimestampLtz ? CastSupport::kYes : CastSupport::kNo;
    }
    return CastSupport::kYes;
  }
  return is_interval(from) && from.kind == to.kind ? CastSupport::kYes : CastSupport::kNo;
}

DecimalShape decimal_shape(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kTinyInt:
      return {3, 0};
    case TypeKind::kSmallInt:
      return {5, 0};
    case TypeKind::kInt:
      return {10, 0};
    case TypeKind::kBigInt:
      return {19, 0};
    default:
      return {type.precision, type.scale};
  }
}

DecimalShape limit_decimal(int precision, int scale) {
  if (precision <= kDecimalPrecisionMax) return {precision, scale};
  int digits = precision - scale;
  int kept = std::max(kDecimalPrecisionMax - digits, std::min(scale, 6));
  return {kDecimalPrecisionMax, kept};
}

DecimalShape decimal_add_shape(DecimalShape a, DecimalShape b) {
  int scale = std::max(a.scale, b.scale);
  return limit_decimal(std::max(a.precision - a.scale, b.precision - b.scale) + scale + 1, scale);
}

DecimalShape decimal_multiply_shape(DecimalShape a, DecimalShape b) {
  return limit_decimal(a.precision + b.precision + 1, a.scale + b.scale);
}

DecimalShape decimal_divide_shape(DecimalShape a, DecimalShape b) {
  int scale = std::max(6, a.scale + b.precision + 1);
  return limit_decimal(a.precision - a.scale + b.scale + scale, scale);
}

DecimalShape decimal_modulo_shape(DecimalShape a, DecimalShape b) {
  int scale = std::max(a.scale, b.scale);
  return limit_decimal(std::min(a.precision - a.scale, b.precision - b.scale) + scale, scale);
}

DecimalShape decimal_round_shape(DecimalShape type, int digits) {
  if (digits >= type.scale) return type;
  int whole = 1 + type.precision - type.scale;
  if (digits < 0) return {std::min(kDecimalPrecisionMax, whole), 0};
  return {std::min(kDecimalPrecisionMax, whole + digits), digits};
}

}  // namespace millrace
