#include "plan/spec/tests_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/nearest.h"
#include "plan/option_reader.h"
#include "plan/spec/fields.h"

namespace millrace {

namespace {

constexpr std::string_view kControls[] = {"$repeat", "$advance_watermark_to", "$advance_clock", "$checkpoint",
                                          "$crash",  "$rescale_to",           "$restore",       "$end_of_input"};

class TestReader {
 public:
  TestReader(SpecContext& context, const Located& item) : context_(context), item_(item) {}

  SpecTest read() {
    const Located* name = item_.find("name");
    const OptionValues values = read_options(
        item_, test_fields(), name != nullptr && name->is_scalar() ? fmt::format("test `{}`", name->text) : "a test",
        context_.diagnostics);
    SpecTest test;
    test.name = values.text("name");
    test.position = item_.position;
    test.given = values.located("given");
    test.expect = values.located("expect");
    test.ordered = values.boolean("ordered");
    test.exact = values.boolean("exact");
    check_rows(test.given, "given", true);
    check_rows(test.expect, "expect", false);
    return test;
  }

 private:
  void check_rows(const Located& map, std::string_view field, bool given) {
    if (map.kind == Located::Kind::kNull) return;
    if (map.kind != Located::Kind::kMap) {
      context_.diagnostics.error(ErrorCode::kWrongShape, map.position,
                                 fmt::format("`{}` needs a mapping of rows per id, not {}", field, describe_kind(map)));
      return;
    }
    for (const Located::Entry& entry : map.entries) {
      check_id(entry, given);
      if (entry.value.kind != Located::Kind::kList) {
        context_.diagnostics.error(
            ErrorCode::kWrongShape, entry.value.position,
            fmt::format("`{}` needs a list of rows, not {}", entry.key, describe_kind(entry.value)));
        continue;
      }
      for (const Located& row : entry.value.items) check_row(row, given);
    }
  }

  void check_id(const Located::Entry& entry, bool given) {
    const std::string id = entry.key.substr(0, entry.key.find('.'));
    const Node* node = context_.graph.find(id);
    if (node != nullptr && (!given || (node->kind == NodeKind::kSource && entry.key == id))) return;
    std::vector<std::string_view> known;
    for (const Node& one : context_.graph.nodes) {
      if (!given || one.kind == NodeKind::kSource) known.push_back(one.id);
    }
    const std::string near = nearest_name(id, known);
    context_.diagnostics.error(ErrorCode::kUnknownName, entry.key_position,
                               fmt::format("there is no {} `{}`", given ? "source" : "source, step or sink", entry.key),
                               near.empty() ? "" : fmt::format("a similar name exists: `{}`", near),
                               static_cast<int>(entry.key.size()));
  }

  void check_row(const Located& row, bool given) {
    if (row.kind != Located::Kind::kMap) {
      if (given && row.is_scalar() && !row.text.starts_with('$')) return;  // a raw record
      if (!given || !row.is_scalar()) {
        context_.diagnostics.error(ErrorCode::kWrongShape, row.position,
                                   fmt::format("a row needs a mapping `column: value`, not {}", describe_kind(row)));
      }
      return;
    }
    for (const Located::Entry& field : row.entries) {
      if (!field.key.starts_with('$')) continue;
      if (given && std::ranges::find(kControls, field.key) != std::end(kControls)) continue;
      const std::string near = nearest_name(field.key, kControls);
      context_.diagnostics.error(ErrorCode::kUnknownField, field.key_position,
                                 fmt::format("there is no control `{}`{}", field.key, given ? "" : " under `expect`"),
                                 near.empty() || !given ? "" : fmt::format("did you mean `{}`?", near),
                                 static_cast<int>(field.key.size()));
    }
  }

  SpecContext& context_;
  const Located& item_;
};

}  // namespace

std::vector<SpecTest> read_tests(SpecContext& context, const Located* tests) {
  std::vector<SpecTest> out;
  if (tests == nullptr || tests->kind == Located::Kind::kNull) {
    if (context.diagnostics.has_errors()) return out;
    context.diagnostics.warning(ErrorCode::kLintNoTests, {}, "the job has no `tests:`",
                                "examples of rows in and rows out run in virtual time: `millrace test`");
    return out;
  }
  if (tests->kind != Located::Kind::kList) {
    context.diagnostics.error(ErrorCode::kWrongShape, tests->position,
                              fmt::format("`tests` needs a list, not {}", describe_kind(*tests)));
    return out;
  }
  for (const Located& item : tests->items) out.push_back(TestReader(context, item).read());
  return out;
}

}  // namespace millrace
