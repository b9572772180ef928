#include "plan/options.h"

namespace millrace {

const Located* Located::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

bool OptionValues::has(std::string_view name) const {
  const OptionValue& value = get(name);
  return value.set || !std::holds_alternative<std::monostate>(value.value);
}

const OptionValue& OptionValues::get(std::string_view name) const {
  auto found = values_.find(name);
  MR_CHECK(found != values_.end(), "no option is described with the name " + std::string(name));
  return found->second;
}

std::string OptionValues::text(std::string_view name) const {
  const auto* text = std::get_if<std::string>(&get(name).value);
  return text == nullptr ? std::string() : *text;
}

int64_t OptionValues::integer(std::string_view name, int64_t otherwise) const {
  const auto* integer = std::get_if<int64_t>(&get(name).value);
  return integer == nullptr ? otherwise : *integer;
}

double OptionValues::number(std::string_view name, double otherwise) const {
  const OptionValue& value = get(name);
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&value.value)) return static_cast<double>(*integer);
  return otherwise;
}

bool OptionValues::boolean(std::string_view name, bool otherwise) const {
  const auto* boolean = std::get_if<bool>(&get(name).value);
  return boolean == nullptr ? otherwise : *boolean;
}

std::vector<std::string> OptionValues::texts(std::string_view name) const {
  const OptionValue& value = get(name);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value.value)) return *texts;
  if (const auto* text = std::get_if<std::string>(&value.value)) return {*text};
  return {};
}

const Located& OptionValues::located(std::string_view name) const { return get(name).located; }

}  // namespace millrace
