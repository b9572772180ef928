#include "cli/result_output.h"

#include <catch2/catch.hpp>

namespace millrace {

TEST_CASE("a table's columns are as wide as their widest cell, in characters") {
  CHECK(render_table({{"NAME", "N"}, {"a", "1"}, {"überall", ""}}) == "NAME     N\na        1\nüberall\n");
}

TEST_CASE("JSON as YAML: blocks, empty values, texts that need quotes") {
  CHECK(json_to_yaml(R"({"jobs":[{"id":"a1","size":1.5,"list":[1,[2]]},{"id":"yes"}],)"
                     R"("none":[],"text":"a: b","empty":"","no":null})") ==
        "jobs:\n  - id: a1\n    size: 1.5\n    list:\n      - 1\n      -\n        - 2\n  - id: \"yes\"\nnone: []\n"
        "text: \"a: b\"\nempty: \"\"\n\"no\": null\n");
}

TEST_CASE("numbers are shown with three digits and a unit") {
  CHECK(short_number(0) == "0");
  CHECK(short_number(999) == "999");
  CHECK(short_number(1234) == "1.23k");
  CHECK(short_number(99960) == "100k");
  CHECK(short_number(12'345'678) == "12.3M");
  CHECK(short_number(4.5) == "4.50");
  CHECK(bytes_text(2048) == "2.05kB");
}

}  // namespace millrace
