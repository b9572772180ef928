#include "runtime/state_rows/migrated_state.h"

#include <algorithm>

#include "runtime/state_rows/row_conversion.h"

namespace millrace {

namespace {

class MigratedState final : public RestoredState {
 public:
  MigratedState(std::shared_ptr<const RestoredState> restored, StatePlan plan, const FunctionRegistry& functions)
      : restored_(std::move(restored)), plan_(std::move(plan)), functions_(functions) {}

  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override {
    const auto state = std::ranges::find_if(plan_.states, [&](const PlannedState& one) {
      return one.wanted.step == expected.step && one.wanted.name == expected.name;
    });
    // A state that is not listed may still have rows in files of a spill store.
    if (state == plan_.states.end() || state->held.step.empty()) {
      return restored_->visit(expected, groups, subtask, parallelism, visitor);
    }
    if (state->fate == StateFate::kNew) return {};  // no row, in a form that nobody reads
    if (!state->convert()) return restored_->visit(state->held, groups, subtask, parallelism, visitor);
    MR_ASSIGN(const auto conversion, conversion_of(*state));
    return restored_->visit(state->held, groups, subtask, parallelism,
                            [&](uint32_t group, std::string_view key, std::string_view value) -> Status {
                              MR_ASSIGN(const std::string converted, conversion->convert(value));
                              return visitor(group, key, converted);
                            });
  }

  /// Files hold rows as they were written: where one of them changes, all come back row by row.
  [[nodiscard]] std::vector<RestoredStore> stores() const override {
    return unchanged() ? restored_->stores() : std::vector<RestoredStore>{};
  }
  Status fetch(const RestoredFile& file, const std::string& to) const override { return restored_->fetch(file, to); }

 private:
  [[nodiscard]] bool unchanged() const {
    return std::ranges::none_of(plan_.states, [](const PlannedState& state) {
      return !state.held.step.empty() && state.held.kind == StateKind::kKeyed && !(state.held == state.wanted);
    });
  }

  [[nodiscard]] Result<std::unique_ptr<RowConversion>> conversion_of(const PlannedState& state) const {
    auto from = parse_state_layout(state.held.layout, state.held.name, state.held.kind);
    auto to = parse_state_layout(state.wanted.layout, state.wanted.name, state.wanted.kind);
    if (!from || !to) {
      return make_error(ErrorCode::kIncompatibleState, "the layout of state `" + state.held.name + "` cannot be read");
    }
    return RowConversion::make(std::move(*from), std::move(*to), state.names, functions_);
  }

  std::shared_ptr<const RestoredState> restored_;
  StatePlan plan_;
  const FunctionRegistry& functions_;
};

}  // namespace

std::shared_ptr<const RestoredState> migrated_state(std::shared_ptr<const RestoredState> restored, StatePlan plan,
                                                    const FunctionRegistry& functions) {
  return std::make_shared<MigratedState>(std::move(restored), std::move(plan), functions);
}

}  // namespace millrace
