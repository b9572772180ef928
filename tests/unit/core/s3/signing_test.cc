// The published examples of AWS: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)",
// transferring the payload in a single chunk.
#include "core/s3/signing.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

const S3Credentials kExampleKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr int64_t kExampleTime = 1'369'353'600'000;  // 24 May 2013 00:00:00 GMT
const std::string kHost = "examplebucket.s3.amazonaws.com";
const std::string kEmptySha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(std::string_view method, std::string_view path, std::string_view query, S3Pairs headers,
                         const std::string& payload) {
  headers.emplace_back("host", kHost);
  headers.emplace_back("x-amz-content-sha256", payload);
  if (std::ranges::find(headers, "x-amz-date", &std::pair<std::string, std::string>::first) == headers.end()) {
    headers.emplace_back("x-amz-date", "20130524T000000Z");
  }
  const std::string value =
      s3_authorization({method, path, query, headers, payload}, kExampleKeys, "us-east-1", kExampleTime);
  return value.substr(value.find("Signature=") + 10);
}

}  // namespace

TEST_CASE("a GET with a range is signed as AWS's example") {
  CHECK(s3_timestamp(kExampleTime) == "20130524T000000Z");
  CHECK(sha256_hex("") == kEmptySha);
  CHECK(signature_of("GET", "/test.txt", "", {{"range", "bytes=0-9"}}, kEmptySha) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("a PUT is signed as AWS's example") {
  const std::string payload = sha256_hex("Welcome to Amazon S3.");
  CHECK(signature_of("PUT", "/" + percent_encode("test$file.text", true), "",
                     {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                     payload) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_CASE("queries are signed as AWS's examples") {
  CHECK(signature_of("GET", "/", canonical_query({{"lifecycle", ""}}), {}, kEmptySha) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(signature_of("GET", "/", canonical_query({{"prefix", "J"}, {"max-keys", "2"}}), {}, kEmptySha) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("MD5 in the form of Content-MD5") { CHECK(md5_base64("hello") == "XUFAKrxLKna5cZ2REBfFkg=="); }
