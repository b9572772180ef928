#include "core/s3/client.h"

#include <catch2/catch.hpp>

#include "core/s3/objects.h"
#include "core/s3/retry.h"
#include "core/s3/upload.h"
#include "tests/unit/core/s3/memory_s3.h"

using namespace millrace;

namespace {

const S3Path kObject{"bucket", "a/b"};
using Fault = MemoryS3::Fault;

}  // namespace

TEST_CASE("an overloaded or unreachable S3 is asked again until it answers") {
  MemoryClient s3;
  s3.server.faults = {Fault::k503, Fault::kReset, Fault::k503};
  REQUIRE(s3_put(*s3.client, kObject, "bytes"));
  CHECK(s3.server.seen.size() == 4);
  CHECK(s3.clock.wall_ms() > 1'700'000'000'000);
  CHECK(*s3_get(*s3.client, kObject) == "bytes");
}

TEST_CASE("after its time limit the error says what S3 answered, for what, and how often it was asked") {
  MemoryClient s3;
  s3.server.fault_of = [](const S3HttpRequest&) { return Fault::k503; };
  const Status put = s3_put(*s3.client, kObject, "bytes");
  REQUIRE_FALSE(put);
  CHECK(put.error().code == ErrorCode::kExternalFailed);
  CHECK(put.error().message.starts_with("PUT s3://bucket/a/b: S3 answered 503 SlowDown (a test), tried "));
  CHECK(s3.clock.wall_ms() - 1'700'000'000'000 <= s3.client->settings().timeout_ms);
  s3.server.fault_of = [](const S3HttpRequest&) { return Fault::kReset; };
  const auto got = s3_get(*s3.client, kObject);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == ErrorCode::kUnreachable);
}

TEST_CASE("a missing object, a missing bucket and a refusal are told apart, and not repeated") {
  MemoryClient s3;
  CHECK(s3_get(*s3.client, kObject).error().code == ErrorCode::kNotFound);
  CHECK_FALSE(s3_size(*s3.client, kObject)->has_value());
  const auto other = s3_get(*s3.client, {"elsewhere", "x"});
  CHECK(other.error().code == ErrorCode::kExternalRefused);
  CHECK(other.error().message.find("s3://elsewhere/x: S3 answered 404 NoSuchBucket") != std::string::npos);
  CHECK(other.error().help.find("create the bucket") != std::string::npos);
  CHECK(s3.server.seen.size() == 3);
  CHECK(s3_remove(*s3.client, kObject));
}

TEST_CASE("keys that have expired are asked for again, once") {
  MemoryClient s3;
  s3.server.expired_key_id = "KEY1";
  REQUIRE(s3_put(*s3.client, kObject, "x"));
  CHECK(s3.keys_asked == 2);
  s3.server.expired_key_id = "KEY";
  CHECK(s3_put(*s3.client, kObject, "x").error().code == ErrorCode::kExternalRefused);
  CHECK(s3.keys_asked == 3);
}

TEST_CASE("of two who write a new object one wins, also when an answer was lost") {
  MemoryClient s3;
  s3.server.faults = {Fault::kLostAnswer};
  REQUIRE(s3_put_new(*s3.client, kObject, "mine"));
  CHECK(s3.server.objects["bucket/a/b"] == "mine");
  const Status second = s3_put_new(*s3.client, kObject, "theirs");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::kRefusedByState);
  s3.server.faults = {Fault::kLostAnswer};
  CHECK(s3_put_new(*s3.client, kObject, "theirs").error().code == ErrorCode::kRefusedByState);
  CHECK(s3.server.objects["bucket/a/b"] == "mine");
}

TEST_CASE("a server without conditional writes is found out, and nothing stays behind") {
  MemoryClient s3;
  REQUIRE(s3_check_conditional_writes(*s3.client, kObject));
  s3.server.ignores_conditions = true;
  const Status checked = s3_check_conditional_writes(*s3.client, kObject);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ErrorCode::kExternalRefused);
  CHECK(checked.error().message.find("If-None-Match") != std::string::npos);
  CHECK(s3.server.objects.empty());
}

TEST_CASE("listings are put together from their pages") {
  MemoryClient s3;
  s3.server.page = 2;
  for (const char* key : {"d/1", "d/2", "d/sub/a", "d/sub/b", "d/z z", "e"}) {
    s3.server.objects[std::string("bucket/") + key] = "x";
  }
  const auto flat = s3_list(*s3.client, "bucket", "d/", false);
  REQUIRE(flat->size() == 4);
  CHECK((*flat)[2].key == "d/sub/");
  CHECK((*flat)[3].key == "d/z z");
  CHECK(s3_list(*s3.client, "bucket", "d/", true)->size() == 5);
  CHECK(s3_list(*s3.client, "bucket", "d/", true, 1)->size() == 1);
}

TEST_CASE("a large file goes up in parts, and as a whole or not at all") {
  MemoryClient s3;
  S3Spool spool("/tmp");
  std::string bytes;
  for (int i = 0; bytes.size() < kS3PartBytes * 2 + 1000; ++i) bytes += std::to_string(i) + ",";
  for (size_t at = 0; at < bytes.size(); at += 700'001) REQUIRE(spool.append(bytes.substr(at, 700'001)));

  SECTION("whole") {
    s3.server.faults = {Fault::kNone, Fault::kReset, Fault::kNone, Fault::k503};
    REQUIRE(s3_upload(*s3.client, kObject, spool));
    CHECK(s3.server.objects["bucket/a/b"] == bytes);
    CHECK(s3.server.uploads.empty());
  }
  SECTION("the answer to the last request is lost") {
    s3.server.faults = {Fault::kNone, Fault::kNone, Fault::kNone, Fault::kNone, Fault::kLostAnswer};
    REQUIRE(s3_upload(*s3.client, kObject, spool));
    CHECK(s3.server.objects["bucket/a/b"] == bytes);
  }
  SECTION("a part cannot be written: the upload is aborted") {
    s3.server.fault_of = [](const S3HttpRequest& request) {
      return request.target.find("partNumber=2") == std::string::npos ? Fault::kNone : Fault::k503;
    };
    const Status uploaded = s3_upload(*s3.client, kObject, spool);
    REQUIRE_FALSE(uploaded);
    CHECK(uploaded.error().code == ErrorCode::kExternalFailed);
    CHECK(s3.server.objects.empty());
    CHECK(s3.server.uploads.empty());
  }
}

TEST_CASE("pauses grow to a limit, and differ from one process to the next") {
  SeededRandom one(1);
  SeededRandom two(2);
  int64_t longest = 0;
  bool differ = false;
  for (uint32_t tries = 0; tries < 30; ++tries) {
    const int64_t pause = s3_pause_ms(tries, one);
    longest = std::max(longest, pause);
    differ = differ || pause != s3_pause_ms(tries, two);
    CHECK(pause >= 25);
  }
  CHECK(longest <= 5'000);
  CHECK(longest > 2'500);
  CHECK(differ);
}
