#include "connectors/datagen/generator.h"

#include <charconv>

namespace millrace {

uint64_t mix64(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

namespace {

constexpr uint64_t kNullSalt = 0x6e756c6c;
constexpr double kTo01 = 0x1.0p-53;

double unit_of(uint64_t random) { return static_cast<double>(random >> 11) * kTo01; }

/// Uniform in [0, count).
int128 below(uint64_t random, int128 count) {
  if (count <= 0) return 0;
  if (count <= static_cast<int128>(UINT64_MAX)) {
    return static_cast<int128>((static_cast<unsigned __int128>(random) * static_cast<unsigned __int128>(count)) >> 64);
  }
  const unsigned __int128 wide = static_cast<unsigned __int128>(random) << 64 | mix64(random);
  return static_cast<int128>(wide % static_cast<unsigned __int128>(count));
}

}  // namespace

Result<ColumnGenerator> ColumnGenerator::make(const TypePtr& type, std::string_view text, uint64_t seed,
                                              uint32_t column) {
  ColumnGenerator generator;
  generator.type_ = type;
  MR_ASSIGN(generator.spec_, parse_generator(text, *type));
  generator.seed_ = mix64(seed ^ mix64(column));
  if (generator.spec_.kind != GeneratorSpec::Kind::kChoice) return generator;
  MR_ASSIGN(generator.target_, ColumnTarget::make(type, ""));
  generator.choice_bytes_ = std::make_shared<Arena>(1024);
  auto probe = make_column(*type);
  generator.target_.attach(*probe, 1);
  for (const std::string& choice : generator.spec_.choices) {
    const std::string whole = generator.spec_.prefix + choice + generator.spec_.suffix;
    generator.choice_texts_.push_back(generator.choice_bytes_->copy(whole));
    const TextOutcome outcome = generator.target_.set_text(0, whole, *generator.choice_bytes_);
    if (outcome != TextOutcome::kOk)
      return make_error(ErrorCode::kBadValue, "CHOICE: " + generator.target_.explain(outcome, whole));
  }
  return generator;
}

ColumnPtr ColumnGenerator::fill(uint64_t first, uint64_t stride, uint32_t count, int64_t now_ms, Arena& arena) {
  auto column = make_column(*type_);
  column->resize(count);
  if (spec_.kind == GeneratorSpec::Kind::kChoice) target_.attach(*column, count);
  for (uint32_t row = 0; row < count; ++row) {
    const uint64_t number = first + row * stride;
    const uint64_t random = mix64(seed_ + number);
    set_value(*column, row, number, random, now_ms, arena);
    if (spec_.null_share > 0 && unit_of(mix64(random ^ kNullSalt)) < spec_.null_share) column->set_null(row);
  }
  return column;
}

void ColumnGenerator::set_value(Column& column, uint32_t row, uint64_t number, uint64_t random, int64_t now_ms,
                                Arena& arena) {
  if (spec_.kind == GeneratorSpec::Kind::kChoice) {
    const auto index = static_cast<size_t>(below(random, static_cast<int128>(choice_texts_.size())));
    (void)target_.set_text(row, choice_texts_[index].view(), arena);
    return;
  }
  if (spec_.kind == GeneratorSpec::Kind::kLength) {
    set_letters(column, row, random, arena);
    return;
  }
  const bool random_number = spec_.kind == GeneratorSpec::Kind::kRandom || spec_.kind == GeneratorSpec::Kind::kSkewed;
  if (random_number && (type_->kind == TypeKind::kDouble || type_->kind == TypeKind::kFloat)) {
    double place = unit_of(random);
    if (spec_.kind == GeneratorSpec::Kind::kSkewed && unit_of(mix64(random)) < 0.9) place *= 0.1;
    const double value = spec_.low + place * (spec_.high - spec_.low);
    if (type_->kind == TypeKind::kDouble) {
      column.values<double>()[row] = value;
    } else {
      column.values<float>()[row] = static_cast<float>(value);
    }
    return;
  }
  set_integer(column, row, integer_for(number, random, now_ms), arena);
}

int128 ColumnGenerator::integer_for(uint64_t number, uint64_t random, int64_t now_ms) const {
  switch (spec_.kind) {
    case GeneratorSpec::Kind::kSequence:
      return spec_.first + spec_.step * static_cast<int128>(number);
    case GeneratorSpec::Kind::kNow:
      return now_ms;
    case GeneratorSpec::Kind::kSkewed: {
      const int128 count = spec_.last - spec_.first + 1;
      const bool hot = unit_of(mix64(random)) < 0.9;
      return spec_.first + below(random, hot ? std::max<int128>(count / 10, 1) : count);
    }
    default:
      return spec_.first + below(random, spec_.last - spec_.first + 1);
  }
}

void ColumnGenerator::set_integer(Column& column, uint32_t row, int128 value, Arena& arena) {
  switch (column.type()) {
    case PhysicalType::kBool:
      column.values<uint8_t>()[row] = static_cast<uint8_t>(value & 1);
      return;
    case PhysicalType::kInt32:
      column.values<int32_t>()[row] = static_cast<int32_t>(value);
      return;
    case PhysicalType::kInt64:
      column.values<int64_t>()[row] = static_cast<int64_t>(value);
      return;
    case PhysicalType::kFloat:
      column.values<float>()[row] = static_cast<float>(value);
      return;
    case PhysicalType::kDouble:
      column.values<double>()[row] = static_cast<double>(value);
      return;
    case PhysicalType::kInt128:
      column.values<int128>()[row] = value;
      return;
    default: {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(value)).ptr;
      const auto size = static_cast<size_t>(end - digits);
      char* to = arena.allocate(spec_.prefix.size() + size + spec_.suffix.size());
      std::memcpy(to, spec_.prefix.data(), spec_.prefix.size());
      std::memcpy(to + spec_.prefix.size(), digits, size);
      std::memcpy(to + spec_.prefix.size() + size, spec_.suffix.data(), spec_.suffix.size());
      column.values<StringRef>()[row] =
          StringRef(std::string_view(to, spec_.prefix.size() + size + spec_.suffix.size()));
    }
  }
}

void ColumnGenerator::set_letters(Column& column, uint32_t row, uint64_t random, Arena& arena) const {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz012345";  // 32: five bits each
  const size_t size = spec_.prefix.size() + spec_.length + spec_.suffix.size();
  char* to = arena.allocate(size);
  std::memcpy(to, spec_.prefix.data(), spec_.prefix.size());
  uint64_t bits = random;
  for (uint32_t i = 0; i < spec_.length; ++i) {
    if (i % 12 == 0 && i > 0) bits = mix64(random + i);
    to[spec_.prefix.size() + i] = kLetters[bits & 31];
    bits >>= 5;
  }
  std::memcpy(to + size - spec_.suffix.size(), spec_.suffix.data(), spec_.suffix.size());
  column.values<StringRef>()[row] = StringRef(std::string_view(to, size));
}

}  // namespace millrace
