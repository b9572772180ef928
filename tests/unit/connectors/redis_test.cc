#include <catch2/catch.hpp>

#include "connectors/redis/resp.h"
#include "connectors/redis/sink_writer.h"
#include "tests/unit/connectors/endpoint_support.h"

namespace millrace {

TEST_CASE("a Redis reply is taken only when it is complete") {
  const std::string whole = "*3\r\n$2\r\na\n\r\n:-7\r\n$-1\r\n+OK\r\n";
  const size_t first = whole.size() - 5;
  for (size_t length = 0; length < first; ++length) {
    std::string_view part(whole.data(), length);
    const auto reply = take_redis_reply(part);
    REQUIRE(reply);
    CHECK_FALSE(reply->has_value());
    CHECK(part.size() == length);
  }
  std::string_view rest = whole;
  auto reply = take_redis_reply(rest);
  REQUIRE((reply && *reply));
  REQUIRE((*reply)->items.size() == 3);
  CHECK((*reply)->items[0].text == "a\n");
  CHECK((*reply)->items[1].integer == -7);
  CHECK((*reply)->items[2].kind == RedisReply::Kind::kNull);
  CHECK(rest == "+OK\r\n");
}

TEST_CASE("an answer in another protocol is an error") {
  for (std::string_view bytes : {"HTTP/1.1 400 Bad Request\r\n", "$99999999999\r\n", ":x\r\n", "\r\n"})
    CHECK_FALSE(take_redis_reply(bytes));
}

TEST_CASE("Redis errors say whether a repetition may help") {
  CHECK(redis_error_code("LOADING Redis is loading") == ErrorCode::kExternalFailed);
  CHECK(redis_error_code("WRONGTYPE Operation") == ErrorCode::kOutputRefused);
  CHECK(redis_error_code("NOAUTH Authentication required.") == ErrorCode::kExternalRefused);
}

TEST_CASE("a command is an array of bulk strings") {
  std::string bytes;
  append_redis_command(bytes, {"SET", "k", ""});
  CHECK(bytes == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

}  // namespace millrace
