#include "core/s3/uri.h"

#include <catch2/catch.hpp>

#include "core/s3/xml.h"

using namespace millrace;

TEST_CASE("an S3 path is a bucket and a key without slashes around it") {
  CHECK(parse_s3_path("s3://bucket")->bucket == "bucket");
  CHECK(parse_s3_path("s3://bucket")->key.empty());
  CHECK(parse_s3_path("s3://bucket/")->children().empty());
  CHECK(parse_s3_path("s3://my-bucket/a//b/")->key == "a/b");
  CHECK(parse_s3_path("s3://my-bucket/a/b")->text() == "s3://my-bucket/a/b");
  CHECK(parse_s3_path("s3://bucket/dt=2024-01-01/x y")->key == "dt=2024-01-01/x y");
}

TEST_CASE("what names no bucket is refused") {
  for (const char* wrong : {"s3://", "s3:///x", "s3://Bucket/x", "s3://b/x", "s3://-bucket/x", "s3://a_b c/x", "/x"}) {
    INFO(wrong);
    const auto parsed = parse_s3_path(wrong);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::kBadValue);
  }
}

TEST_CASE("percent-encoding is that of signatures, and comes back") {
  CHECK(percent_encode("a/b c=d+e*ä~", true) == "a/b%20c%3Dd%2Be%2A%C3%A4~");
  CHECK(percent_encode("a/b", false) == "a%2Fb");
  CHECK(percent_decode(percent_encode("a/b c=d+e*ä~%", false)) == "a/b c=d+e*ä~%");
  CHECK(canonical_query({{"uploads", ""}, {"prefix", "a b/"}}) == "prefix=a%20b%2F&uploads=");
}

TEST_CASE("elements of an answer are found and their entities resolved") {
  const std::string xml = "<R><Key>a &amp; b&#x41;&#66;</Key><N><Key>c</Key></N><Open>";
  CHECK(xml_text(xml, "Key") == "a & bAB");
  CHECK(xml_elements(xml, "Key").size() == 2);
  CHECK(xml_text(xml, "Open").empty());
  CHECK(xml_text(xml, "Missing").empty());
  CHECK(xml_text("<a>" + xml_escape("<&\">\n") + "</a>", "a") == "<&\">\n");
}
