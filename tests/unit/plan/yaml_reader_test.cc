#include "plan/yaml_reader.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

std::string yaml_mistakes(std::string_view text) {
  Diagnostics diagnostics;
  (void)read_yaml(text, diagnostics);
  std::string out;
  for (const Diagnostic& d : diagnostics.all()) {
    out += std::to_string(d.position.line) + ":" + std::to_string(d.position.column) + " " +
           std::string(error_info(d.code).code) + " " + d.message + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("keys and values know their places") {
  Diagnostics diagnostics;
  const auto tree = read_yaml("version: 1\nsteps:\n  - id: a\n    filter: \"n > 1\"\n", diagnostics);
  REQUIRE(tree);
  REQUIRE(diagnostics.all().empty());
  const Located& step = tree->find("steps")->items.at(0);
  CHECK(step.position.line == 3);
  CHECK(step.position.column == 5);
  const Located::Entry& filter = step.entries.at(1);
  CHECK(filter.key == "filter");
  CHECK(filter.key_position.line == 4);
  CHECK(filter.key_position.column == 5);
  CHECK(filter.value.quoted);
  CHECK(filter.value.position.column == 13);
  CHECK(filter.value.content.column == 14);
  CHECK_FALSE(tree->find("version")->quoted);
}

TEST_CASE("columns count characters, not bytes") {
  Diagnostics diagnostics;
  const auto tree = read_yaml("{ä: 1, b: 2}", diagnostics);
  REQUIRE(tree);
  CHECK(tree->entries.at(1).key_position.column == 8);
}

TEST_CASE("offsets inside texts map to the file") {
  Diagnostics diagnostics;
  const auto tree =
      read_yaml("a: x + y\nb: 'it''s z'\nc: |\n  one\n  two + q\nd: >\n  fold\n  ed\ne: \"a\\tb\"\n", diagnostics);
  REQUIRE(tree);
  auto place = [&](std::string_view key, std::string_view part) {
    const Located& value = *tree->find(key);
    const Position at = position_in(value, value.text.find(part));
    return std::pair(at.line, at.column);
  };
  CHECK(place("a", "y") == std::pair(1, 8));
  CHECK(place("b", "z") == std::pair(2, 11));
  CHECK(place("c", "q") == std::pair(5, 9));
  CHECK(place("d", "ed") == std::pair(6, 4));  // folded: only the start is known
  CHECK(place("e", "b") == std::pair(9, 4));   // escapes: only the start is known
}

TEST_CASE("duplicate keys, tags and merge keys are mistakes and the rest is still read") {
  CHECK(yaml_mistakes("a: 1\nb: 2\na: 3\nwhere: !a\n") ==
        "3:1 E0102 duplicate key `a`\n4:8 E0101 `!a` is read as a YAML tag, and tags are not part of a job file\n");
  CHECK(yaml_mistakes("x: &x {a: 1}\ny:\n  <<: *x\n") == "3:3 E0101 merge keys (`<<`) are not part of a job file\n");
  CHECK(yaml_mistakes("v: !!str 5\n").substr(0, 9) == "1:4 E0101");
}

TEST_CASE("syntax errors say what is usually wrong") {
  CHECK(yaml_mistakes("a: b: c\n") ==
        "1:5 E0101 a value without quotes contains `: `, or the indentation does not fit\n");
  CHECK(yaml_mistakes("a: %x\n").find("cannot start with this character") != std::string::npos);
  CHECK(yaml_mistakes("a: > 5\n").find("starts with `>`") != std::string::npos);
  CHECK(yaml_mistakes("a: 'x' || 'y'\n").find("E0101") != std::string::npos);
  CHECK(yaml_mistakes("a: *x\n").find("alias") != std::string::npos);
  CHECK(yaml_mistakes("a:\n\t- b\n").find("E0101") != std::string::npos);
  CHECK(yaml_mistakes("") == "1:1 E0101 the file is empty\n");
  CHECK(yaml_mistakes("a: 1\n---\nb: 2\n") == "3:1 E0101 the file holds more than one YAML document\n");
}

TEST_CASE("aliases are copies, and neither they nor nesting can grow without bound") {
  Diagnostics diagnostics;
  const auto tree = read_yaml("a: &x [1, 2]\nb: *x\n", diagnostics);
  REQUIRE(tree);
  CHECK(tree->find("b")->items.size() == 2);

  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ",") + before;
    bomb += "]\n";
  }
  CHECK(yaml_mistakes(bomb).find("more than 200000 values") != std::string::npos);
  CHECK(yaml_mistakes(std::string(100, '[') + std::string(100, ']')).find("nested deeper") != std::string::npos);
}

}  // namespace millrace
