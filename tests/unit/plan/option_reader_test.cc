#include "plan/option_reader.h"

#include <catch2/catch.hpp>

#include "plan/option_text.h"
#include "plan/yaml_reader.h"

namespace millrace {

namespace {

std::vector<OptionDescriptor> sample_options() {
  return {
      {.name = "topic", .kind = OptionKind::kText, .required = true, .example = "events"},
      {.name = "rows", .kind = OptionKind::kInteger, .default_text = "10", .min = 1, .max = 100},
      {.name = "rate", .kind = OptionKind::kNumber, .min = 0},
      {.name = "follow", .kind = OptionKind::kBoolean, .default_text = "false"},
      {.name = "gap", .kind = OptionKind::kDuration, .default_text = "off", .choices = {"off"}, .min = 0},
      {.name = "limit", .kind = OptionKind::kBytes},
      {.name = "mode", .kind = OptionKind::kChoice, .default_text = "fast", .choices = {"fast", "slow"}},
      {.name = "key", .kind = OptionKind::kTextList},
      {.name = "password", .kind = OptionKind::kInteger, .secret = true},
  };
}

struct SampleRead {
  OptionValues values;
  std::string mistakes;
};

SampleRead sample_read(std::string_view yaml) {
  Diagnostics diagnostics;
  const auto tree = read_yaml(yaml, diagnostics);
  REQUIRE(tree);
  SampleRead out{read_options(*tree, sample_options(), "sink `out`", diagnostics), {}};
  for (const Diagnostic& d : diagnostics.all()) {
    out.mistakes += std::to_string(d.position.line) + ":" + std::to_string(d.position.column) + " " +
                    std::string(error_info(d.code).code) + " " + d.message + (d.help.empty() ? "" : "; ") + d.help +
                    "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("values are converted to the kind of their option") {
  const SampleRead read =
      sample_read("{topic: t, rows: 7, rate: 2.5, follow: true, gap: 1h30m, limit: 64KiB, mode: slow, key: [a, b]}");
  CHECK(read.mistakes.empty());
  CHECK(read.values.text("topic") == "t");
  CHECK(read.values.integer("rows") == 7);
  CHECK(read.values.number("rate") == 2.5);
  CHECK(read.values.boolean("follow"));
  CHECK(read.values.integer("gap") == 5'400'000);
  CHECK(read.values.integer("limit") == 65'536);
  CHECK(read.values.text("mode") == "slow");
  CHECK(read.values.texts("key") == std::vector<std::string>{"a", "b"});
}

TEST_CASE("options that are not written have their default or nothing") {
  const SampleRead read = sample_read("{topic: t, key: a}");
  CHECK(read.values.integer("rows") == 10);
  CHECK(read.values.integer("gap") == -1);
  CHECK(read.values.text("mode") == "fast");
  CHECK(read.values.has("rows"));
  CHECK_FALSE(read.values.get("rows").set);
  CHECK_FALSE(read.values.has("limit"));
  CHECK(read.values.texts("key") == std::vector<std::string>{"a"});
}

TEST_CASE("all mistakes of a mapping are reported at once") {
  const SampleRead read = sample_read(
      "topik: t\nrows: 101\nrate: -1\nfollow: yes\ngap: 10\nlimit: 5 apples\nmode: fasst\nkey: {a: 1}\npassword: "
      "geheim\n");
  CHECK(read.mistakes ==
        "1:1 E0104 sink `out` needs the field `topic`; for example `topic: events`\n"
        "2:7 E0106 `rows` must be between 1 and 100, not `101`\n"
        "3:7 E0106 `rate` must be at least 0, not `-1`\n"
        "4:9 E0106 `follow` needs true or false, not `yes`\n"
        "5:6 E0106 `gap` needs a duration such as `10s` or `off`, not `10`\n"
        "6:8 E0106 `limit` needs a size such as `64MiB`, not `5 apples`\n"
        "7:7 E0106 `mode` must be `fast` or `slow`, not `fasst`; did you mean `fast`?\n"
        "8:6 E0105 `key` needs a list of texts, not a mapping\n"
        "9:11 E0106 `password` needs a whole number\n"
        "1:1 E0103 unknown field `topik` in sink `out`; a field with a similar name exists: `topic`\n");
}

TEST_CASE("a missing value and a wrong shape name what is needed") {
  CHECK(sample_read("topic:\n").mistakes == "1:1 E0105 `topic` has no value; it needs a text\n");
  CHECK(sample_read("[1, 2]").mistakes == "1:1 E0105 sink `out` needs a mapping of fields, not a list\n");
}

TEST_CASE("durations and sizes are read and written") {
  CHECK(parse_duration("250ms") == 250);
  CHECK(parse_duration("1h30m") == 5'400'000);
  CHECK(parse_duration("-10m") == -600'000);
  CHECK(parse_duration("7d") == 604'800'000);
  CHECK(parse_duration("0s") == 0);
  CHECK_FALSE(parse_duration("10"));
  CHECK_FALSE(parse_duration("s"));
  CHECK_FALSE(parse_duration("1.5s"));
  CHECK_FALSE(parse_duration("99999999999999999d"));
  CHECK_FALSE(parse_duration("-"));
  CHECK(parse_bytes("128MB") == 128'000'000);
  CHECK(parse_bytes("2GiB") == 2'147'483'648);
  CHECK_FALSE(parse_bytes("12"));
  CHECK_FALSE(parse_bytes("-1KB"));
  CHECK(format_duration(5'400'000) == "1h30m");
  CHECK(format_duration(-90'250) == "-1m30s250ms");
  CHECK(format_duration(0) == "0s");
}

}  // namespace millrace
