#include "plan/checkpoint_changes.h"

#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "plan/spec/fields.h"

namespace millrace {

namespace {

struct ChangeableField {
  const char* name;
  int64_t CheckpointSettings::* value;
  bool duration = true;
};

constexpr ChangeableField kChangeableFields[] = {
    {"interval", &CheckpointSettings::interval_ms},
    {"timeout", &CheckpointSettings::timeout_ms},
    {"min_pause", &CheckpointSettings::min_pause_ms},
    {"unaligned_after", &CheckpointSettings::unaligned_after_ms},
    {"tolerable_failures", &CheckpointSettings::tolerable_failures, false}};

OptionList changeable_descriptors() {
  OptionList descriptors;
  for (const OptionDescriptor& descriptor : checkpoint_fields()) {
    for (const ChangeableField& field : kChangeableFields) {
      if (descriptor.name == field.name) descriptors.push_back(descriptor);
    }
  }
  return descriptors;
}

}  // namespace

Result<CheckpointSettings> changed_checkpoint_settings(const CheckpointSettings& settings,
                                                       const CheckpointChanges& changes) {
  Located map;
  map.kind = Located::Kind::kMap;
  for (const auto& [name, text] : changes) {
    Located value;
    value.kind = Located::Kind::kScalar;
    value.text = text;
    map.entries.push_back({name, {}, std::move(value)});
  }
  Diagnostics diagnostics;
  const OptionValues values = read_options(map, changeable_descriptors(), "settings.checkpoint", diagnostics);
  std::string wrong;
  std::string help = "of a running job interval, timeout, min_pause, unaligned_after and tolerable_failures can change";
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity != Severity::kError) continue;
    wrong += (wrong.empty() ? "" : "; ") + diagnostic.message;
    if (!diagnostic.help.empty()) help = diagnostic.help;
  }
  CheckpointSettings out = settings;
  for (const ChangeableField& field : kChangeableFields) {
    if (wrong.empty() && changes.contains(field.name)) out.*field.value = values.integer(field.name);
  }
  if (wrong.empty() && out.unaligned_after_ms >= 0 && !out.exactly_once) {
    wrong = "`unaligned_after` needs `mode: exactly_once`: at_least_once does not align barriers";
  }
  if (!wrong.empty()) return make_error(ErrorCode::kBadValue, std::move(wrong), std::move(help));
  return out;
}

CheckpointChanges checkpoint_settings_text(const CheckpointSettings& settings) {
  CheckpointChanges text;
  for (const ChangeableField& field : kChangeableFields) {
    const int64_t value = settings.*field.value;
    if (field.duration) {
      text[field.name] = value < 0 ? "never" : format_duration(value);
    } else {
      text[field.name] = std::to_string(value);
    }
  }
  return text;
}

}  // namespace millrace
