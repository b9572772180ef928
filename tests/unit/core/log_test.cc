#include "core/log.h"

#include <catch2/catch.hpp>

#include "core/text.h"

using namespace millrace;

TEST_CASE("a log line in JSON is one object with its fields") {
  CHECK(format_log_line(true, 1'700'000'000'123, LogLevel::kWarn, "slow \"disk\"", {{"path", "/a\nb"}, {"ms", 12}}) ==
        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\",\"message\":\"slow \\\"disk\\\"\","
        "\"path\":\"/a\\nb\",\"ms\":\"12\"}\n");
}

TEST_CASE("a log line of text stays one line and quotes what needs it") {
  const std::string line =
      format_log_line(false, 1'700'000'000'123, LogLevel::kInfo, "two\nlines", {{"a", "x"}, {"b", "x y"}, {"c", ""}});
  CHECK(line.substr(0, 12) == "22:13:20.123");
  CHECK(line.find("two lines a=x b=\"x y\" c=\"\"\n") != std::string::npos);
}

TEST_CASE("JSON strings are valid whatever the bytes are") {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  CHECK(quoted("a\"\\\t\x01") == R"("a\"\\\t\u0001")");
  CHECK(quoted("ä€😀") == "\"ä€😀\"");
  CHECK(quoted("\xff\xc0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(quoted("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(quoted("\xe2\x82") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("times before 1970 are right") { CHECK(utc_text(-1) == "1969-12-31T23:59:59.999Z"); }
