#include "runtime/state_rows/migrated_state.h"

#include <catch2/catch.hpp>

#include "functions/aggregates/loops.h"
#include "runtime/operators/state_fields.h"
#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

StateField counted(const std::string& output, const std::string& text, const char* type) {
  auto call = std::make_shared<StateAggregate>();
  call->function = "COUNT";
  call->args = {*parse_type(type)};
  call->result = *parse_type("BIGINT");
  call->text = text;
  call->output = output;
  StateField field = state_field(output, StateForm::kAggregate);
  field.aggregate = std::move(call);
  return field;
}

StateSchema counts_of(std::vector<StateField> calls) {
  StateSchema schema;
  schema.name = "aggregate";
  schema.form = "running aggregate";
  schema.value = std::move(calls);
  return schema;
}

/// One row under step `old`, with a file beside it.
class OneRow final : public RestoredState {
 public:
  explicit OneRow(std::string layout) : layout_(std::move(layout)) {}
  Status visit(const StateDescriptor& expected, KeyGroupRange, uint32_t, uint32_t,
               const RowVisitor& visitor) const override {
    if (expected.step != "old") return {};
    REQUIRE(expected.layout == layout_);  // asked for in the form in which it was written
    ByteWriter value;
    put_packed(value, 7);
    return visitor(3, "key", value.view());
  }
  [[nodiscard]] std::vector<RestoredStore> stores() const override { return {RestoredStore{}}; }

 private:
  std::string layout_;
};

struct Migration {
  Migration(const StateSchema& from, const StateSchema& to, const std::string& id) {
    CheckpointFacts facts{128, {{{"old", "aggregate", StateKind::kKeyed, state_layout(from)}, 1, 1}}, false};
    JobGraph graph;
    Node node;
    node.id = id;
    node.was = id == "old" ? "" : "old";
    node.states = {to};
    graph.nodes.push_back(node);
    wanted = {id, "aggregate", StateKind::kKeyed, state_layout(to)};
    restored = migrated_state(std::make_shared<OneRow>(state_layout(from)), plan_state(facts, graph),
                              operators_registry().plan.functions);
  }
  std::vector<std::string> values() const {
    std::vector<std::string> out;
    const Status read = restored->visit(wanted, {0, 128}, 0, 1, [&](uint32_t group, std::string_view key, auto value) {
      REQUIRE(group == 3);
      REQUIRE(key == "key");
      out.emplace_back(value);
      return Status{};
    });
    REQUIRE(read.has_value());
    return out;
  }
  StateDescriptor wanted;
  std::shared_ptr<const RestoredState> restored;
};

}  // namespace

TEST_CASE("A renamed step reads the rows of its former id as they are") {
  const StateSchema state = counts_of({counted("n", "COUNT(a)", "INT")});
  const Migration renamed(state, state, "new");
  REQUIRE(renamed.values() == std::vector<std::string>{"\x0e"});
  REQUIRE(renamed.restored->stores().empty());  // the files know the rows under the former id
}

TEST_CASE("Rows are converted on their way, and files that hold them in the old form are not shown") {
  const StateSchema from = counts_of({counted("n", "COUNT(a)", "INT")});
  const Migration grown(from, counts_of({counted("m", "COUNT(b)", "INT"), counted("n", "COUNT(a)", "INT")}), "old");
  REQUIRE(grown.values() == std::vector<std::string>{std::string("\0\x0e", 2)});
  REQUIRE(grown.restored->stores().empty());
  const Migration same(from, from, "old");
  REQUIRE(same.restored->stores().size() == 1);
}

TEST_CASE("A state that the checkpoint does not have has no rows") {
  const StateSchema state = counts_of({counted("n", "COUNT(a)", "INT")});
  const Migration none(state, state, "old");
  REQUIRE(none.restored
              ->visit({"other", "aggregate", StateKind::kKeyed, ""}, {0, 128}, 0, 1,
                      [](uint32_t, std::string_view, std::string_view) -> Status {
                        return make_error(ErrorCode::kInternal, "a row");
                      })
              .has_value());
}

}  // namespace millrace
