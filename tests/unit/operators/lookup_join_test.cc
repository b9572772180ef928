#include <deque>
#include <map>

#include "runtime/spi/kernel.h"
#include "tests/unit/operators/support.h"

namespace millrace {
namespace {

/// What happened inside the fake tables of one test.
struct FakeTableLog {
  int questions = 0;
  size_t keys = 0;
};

/// A table in memory: key k has the rows of `rows`; answers after `patience` looks at it, the first `troubles`
/// questions with a transient error.
struct FakeTable {
  std::multimap<std::string, int64_t> rows{{"a", 1}, {"b", 2}, {"b", 3}};
  int patience = 0;
  int troubles = 0;
  bool backwards = false;  // the newest question is answered first
  ErrorCode trouble = ErrorCode::kUnreachable;
  FakeTableLog log;
};

class FakeLookup final : public LookupSource {
 public:
  FakeLookup(FakeTable& table, SchemaPtr schema) : table_(table), schema_(std::move(schema)) {}

  Status open(const LookupContext&) override { return {}; }
  void ask(uint64_t ticket, std::vector<std::string> keys, int64_t) override {
    ++table_.log.questions;
    table_.log.keys += keys.size();
    LookupAnswer answer;
    answer.ticket = ticket;
    if (table_.log.questions <= table_.troubles) {
      answer.status = make_error(table_.trouble, "the table is away");
    } else {
      fill(keys, answer);
    }
    if (table_.backwards) {
      answers_.push_front(std::move(answer));
    } else {
      answers_.push_back(std::move(answer));
    }
    looks_ = 0;
  }
  [[nodiscard]] bool answered() const override { return !answers_.empty(); }
  bool take(LookupAnswer& answer) override {
    if (answers_.empty() || looks_++ < table_.patience) return false;
    answer = std::move(answers_.front());
    answers_.pop_front();
    return true;
  }

 private:
  void fill(const std::vector<std::string>& keys, LookupAnswer& answer) {
    const auto k = make_column(*schema_->fields[0].type);
    const auto v = make_column(*schema_->fields[1].type);
    auto arena = std::make_shared<Arena>();
    for (uint32_t i = 0; i < keys.size(); ++i) {
      const std::string name = keys[i].substr(5);  // behind the tag and the length
      const auto [first, last] = table_.rows.equal_range(name);
      for (auto it = first; it != last; ++it) {
        const uint32_t row = answer.rows.rows++;
        k->resize(row + 1);
        v->resize(row + 1);
        k->values<StringRef>()[row] = arena->copy(name);
        v->values<int64_t>()[row] = it->second;
        answer.key_of_row.push_back(i);
      }
    }
    answer.rows.columns = {k, v};
    answer.rows.arenas.push_back(std::move(arena));
  }

  FakeTable& table_;
  SchemaPtr schema_;
  std::deque<LookupAnswer> answers_;
  int looks_ = 0;
};

/// A registry whose look-ups know the table `fake`.
struct LookupRig {
  explicit LookupRig(FakeTable& table) {
    register_all_functions(registry.plan.functions);
    register_operators(registry);
    LookupDescriptor descriptor;
    descriptor.make = [&table](const LookupConfig& config, const Registry&) -> Result<LookupSourcePtr> {
      return std::make_unique<FakeLookup>(table, config.schema);
    };
    registry.factories.lookups["fake"] = std::move(descriptor);
  }
  std::string failures(const KitCase& test) const {
    std::string text;
    for (const std::string& failure : run_operator_case(registry, test)) text += failure + "\n";
    return text;
  }
  Registry registry;
};

KitCase lookup_case(const std::string& fields) {
  KitCase test;
  test.step = "id: j\njoin: {kind: lookup, left: input0, right: {type: fake, schema: {k: STRING, v: BIGINT}}, " +
              std::string("equal: [k], select: {k: input0.k, n: n, v: v}") + fields + "}";
  test.inputs = {"k STRING, n BIGINT"};
  test.events = {kit_row(R"({"k":"b","n":1})", 10),
                 kit_row(R"({"k":"x","n":2})", 20),
                 kit_row(R"({"k":"a","n":3})", 30),
                 kit_watermark(25),
                 kit_row(R"({"k":null,"n":4})", 40),
                 kit_row(R"({"k":"b","n":5})", 50),
                 kit_end()};
  return test;
}

const std::vector<std::string> kInnerRows{R"({"k":"b","n":1,"v":2})", R"({"k":"b","n":1,"v":3})",
                                          R"({"k":"a","n":3,"v":1})", R"({"k":"b","n":5,"v":2})",
                                          R"({"k":"b","n":5,"v":3})"};
const std::vector<std::string> kLeftRows{R"({"k":"b","n":1,"v":2})",     R"({"k":"b","n":1,"v":3})",
                                         R"({"k":"x","n":2,"v":null})",  R"({"k":"a","n":3,"v":1})",
                                         R"({"k":null,"n":4,"v":null})", R"({"k":"b","n":5,"v":2})",
                                         R"({"k":"b","n":5,"v":3})"};

}  // namespace

TEST_CASE("a look-up join shows each row with what the table has for its key") {
  FakeTable table;
  KitCase test = lookup_case("");
  test.expect[""] = kInnerRows;
  test.ordered = true;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("a left look-up join keeps rows without an answer and rows whose key is NULL") {
  FakeTable table;
  KitCase test = lookup_case(", type: left");
  test.expect[""] = kLeftRows;
  test.ordered = true;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("rows that wait for late answers survive a restore and hold the watermark") {
  FakeTable table;
  table.patience = 3;
  KitCase test = lookup_case(", type: left");
  test.expect[""] = kLeftRows;
  test.ordered = true;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("an unordered look-up join gives the same rows when answers overtake each other") {
  FakeTable table;
  table.patience = 2;
  table.backwards = true;
  KitCase test = lookup_case(", type: left, ordered: false");
  test.expect[""] = kLeftRows;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("a condition of a look-up join chooses among the answers") {
  FakeTable table;
  KitCase test = lookup_case(", type: left, where: v < 3 AND n < 5");
  test.expect[""] = {R"({"k":"b","n":1,"v":2})", R"({"k":"x","n":2,"v":null})", R"({"k":"a","n":3,"v":1})",
                     R"({"k":null,"n":4,"v":null})", R"({"k":"b","n":5,"v":null})"};
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("a full look-up join takes no further batch until answers come") {
  FakeTable table;
  table.patience = 2;
  KitCase test = lookup_case(", type: left, in_flight: 1");
  test.expect[""] = kLeftRows;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("a key is asked for once while its answer counts") {
  FakeTable table;
  const LookupRig rig(table);
  KitCase test = lookup_case(", cache: {ttl: 1m}");
  test.expect[""] = kInnerRows;
  const auto node = bind_single_step(rig.registry, test.step, test.inputs);
  REQUIRE(node);
  CHECK(rig.failures(test) == "");
  // All at once: b, x, a, and b again from the cache.
  FakeTable counted;
  const LookupRig counting(counted);
  test.events = {kit_row(R"({"k":"b","n":1})", 1), kit_watermark(1), kit_row(R"({"k":"b","n":2})", 2), kit_end()};
  test.expect.clear();
  (void)run_operator_case(counting.registry, test, nullptr, KitModes::kWithoutRestore);
  CHECK(counted.log.questions == 4);  // one in each of the four modes without restore
}

TEST_CASE("a look-up is tried again after trouble that may pass") {
  FakeTable table;
  table.troubles = 2;
  KitCase test = lookup_case(", type: left, retry: {attempts: 3, delay: 1ms}");
  test.expect[""] = kLeftRows;
  CHECK(LookupRig(table).failures(test) == "");
}

TEST_CASE("a look-up fails the job when the tries are used up or trouble is permanent") {
  FakeTable away;
  away.troubles = 1'000'000;
  const LookupRig rig(away);
  CHECK(rig.failures(lookup_case(", retry: {attempts: 2, delay: 1ms}")).find("the table is away") != std::string::npos);
  CHECK(away.log.questions == 2 * 11);  // two in each mode
  FakeTable refused;
  refused.troubles = 1'000'000;
  refused.trouble = ErrorCode::kExternalRefused;
  CHECK(LookupRig(refused).failures(lookup_case("")).find("E0304") != std::string::npos);
  CHECK(refused.log.questions == 11);
}

TEST_CASE("mistakes in a look-up join are found before it runs") {
  FakeTable table;
  const LookupRig rig(table);
  const auto message = [&](const std::string& join) {
    const auto node = bind_single_step(rig.registry, "id: j\njoin: " + join, {"k STRING, n BIGINT"});
    return node ? "it binds" : node.error().message;
  };
  CHECK(message("{kind: lookup, left: input0, right: input1, equal: [k]}").find("needs a table") != std::string::npos);
  CHECK(message("{kind: lookup, left: input0, right: {type: nothing, schema: {k: STRING}}, equal: [k]}") ==
        "look-ups cannot ask `nothing`");
  CHECK(message("{kind: lookup, left: input0, right: {type: fake, schema: {k: BIGINT}}, equal: [k]}") ==
        "`k` is STRING and `k` is BIGINT");
  CHECK(message("{kind: lookup, type: full, left: input0, right: {type: fake, schema: {k: STRING}}, equal: [k]}") ==
        "a look-up join is inner or left");
}

}  // namespace millrace
