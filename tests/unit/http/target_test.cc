#include <catch2/catch.hpp>

#include "http/server.h"

namespace millrace {

TEST_CASE("a request target is split and decoded") {
  std::string path;
  std::map<std::string, std::string> query;
  REQUIRE(parse_target("/jobs/a%20b?names=flink&x=1+2&empty", path, query));
  CHECK(path == "/jobs/a b");
  CHECK(query == std::map<std::string, std::string>{{"names", "flink"}, {"x", "1 2"}, {"empty", ""}});
}

TEST_CASE("a broken escape is refused") {
  std::string path;
  std::map<std::string, std::string> query;
  CHECK_FALSE(parse_target("/a%2", path, query));
  CHECK_FALSE(parse_target("/a?b=%zz", path, query));
}

TEST_CASE("addresses have a host and a port") {
  CHECK(*parse_address("127.0.0.1:8081") == std::pair<std::string, uint16_t>("127.0.0.1", 8081));
  CHECK(*parse_address("localhost:0") == std::pair<std::string, uint16_t>("127.0.0.1", 0));
  CHECK(*parse_address("[::1]:80") == std::pair<std::string, uint16_t>("::1", 80));
  CHECK_FALSE(parse_address("8081").has_value());
  CHECK_FALSE(parse_address("host:70000").has_value());
  CHECK_FALSE(parse_address("host:8o81").has_value());
}

}  // namespace millrace
