#include "data/wire.h"

#include <catch2/catch.hpp>

#include <bit>

#include "core/hash.h"
#include "tests/unit/data/random_batch.h"

using namespace millrace;

namespace {

void check_same_rows(const Batch& sent, const Batch& got) {
  REQUIRE(got.rows == sent.selected());
  REQUIRE_FALSE(got.selection);
  for (uint32_t i = 0; i < got.rows; ++i) REQUIRE(row_bytes(got, i) == row_bytes(sent, sent.row_at(i)));
}

/// Gives damaged bytes a checksum that fits, so that the reader behind it is tested.
void repair_checksum(std::string& bytes) {
  const uint32_t checksum = crc32c(std::string_view(bytes).substr(8));
  std::memcpy(bytes.data() + 4, &checksum, sizeof checksum);
}

}  // namespace

TEST_CASE("random batches survive the wire") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const SchemaPtr schema = random_schema(random);
    const Batch sent = random_batch(random, *schema, static_cast<uint32_t>(random.below(40)));
    auto got = decode_batch(encode_batch(sent, *schema), *schema);
    REQUIRE(got);
    check_same_rows(sent, *got);
  }
}

TEST_CASE("random batches survive compacting and gathering") {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    SeededRandom random(1000 + seed);
    const SchemaPtr schema = random_schema(random);
    const Batch batch = random_batch(random, *schema, 1 + static_cast<uint32_t>(random.below(40)));
    check_same_rows(batch, compact(batch, *schema));
    std::vector<uint32_t> rows;
    for (int i = 0; i < 20; ++i) rows.push_back(static_cast<uint32_t>(random.below(batch.rows)));
    const Batch picked = gather(batch, *schema, rows);
    REQUIRE(picked.rows == rows.size());
    for (uint32_t i = 0; i < picked.rows; ++i) REQUIRE(row_bytes(picked, i) == row_bytes(batch, rows[i]));
  }
}

TEST_CASE("the bytes of floating point numbers travel unchanged") {
  Schema schema{{{"d", *parse_type("DOUBLE")}}};
  auto column = make_column(*schema.fields[0].type);
  column->resize(2);
  column->values<double>()[0] = -0.0;
  column->values<double>()[1] = std::bit_cast<double>(uint64_t{0x7ff8000000000123});
  Batch batch{2, {column}, std::make_shared<std::vector<int64_t>>(2), nullptr, nullptr, {}};
  auto got = decode_batch(encode_batch(batch, schema), schema);
  REQUIRE(got);
  for (int i = 0; i < 2; ++i) {
    CHECK(std::bit_cast<uint64_t>(got->columns[0]->values<double>()[i]) ==
          std::bit_cast<uint64_t>(column->values<double>()[i]));
  }
}

TEST_CASE("the wire form of a small batch is fixed") {
  Schema schema{{{"n", *parse_type("INT")}, {"s", make_string()}}};
  auto numbers = make_column(*schema.fields[0].type);
  auto texts = make_column(*schema.fields[1].type);
  numbers->resize(2);
  texts->resize(2);
  numbers->values<int32_t>()[0] = 5;
  numbers->set_null(1);
  texts->values<StringRef>()[0] = StringRef(std::string_view("hi"));
  texts->values<StringRef>()[1] = StringRef(std::string_view("!"));
  Batch batch{2,       {numbers, texts}, std::make_shared<std::vector<int64_t>>(std::vector<int64_t>{1, 2}),
              nullptr, nullptr,          {}};
  const std::string bytes = encode_batch(batch, schema);
  const std::string payload = std::string("\0\x02\x02", 3) + std::string("\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", 16) +
                              std::string("\x82\x02\x05\0\0\0\0\0\0\0", 10) +
                              std::string("\x07\x02\0\0\0\x01\0\0\0hi!", 12);
  CHECK(bytes.substr(0, 4) == "MRB1");
  CHECK(bytes.substr(8) == payload);
}

TEST_CASE("damaged bytes are an error, whatever was damaged") {
  SeededRandom random(5);
  Schema schema{
      {{"a", *parse_type("ARRAY<ROW<x INT, y STRING>>")}, {"b", make_string()}, {"c", *parse_type("BOOLEAN")}}};
  Batch batch = random_batch(random, schema, 10);
  const std::string good = encode_batch(batch, schema);
  REQUIRE(decode_batch(good, schema));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    CHECK_FALSE(decode_batch(bad, schema));
  }
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(decode_batch(std::string_view(good).substr(0, size), schema));
  }
  CHECK(decode_batch("", schema).error().code == ErrorCode::kBadMessage);
}

TEST_CASE("bytes with a right checksum and wrong counts do no harm") {
  uint32_t refused = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SeededRandom random(seed);
    const SchemaPtr schema = random_schema(random);
    std::string bytes = encode_batch(random_batch(random, *schema, 12), *schema);
    for (int flip = 0; flip < 3; ++flip) {
      const size_t at = 8 + random.below(bytes.size() - 8);
      bytes[at] = static_cast<char>(random.next());
    }
    if (random.below(3) == 0) bytes.resize(8 + random.below(bytes.size() - 8));
    repair_checksum(bytes);
    auto got = decode_batch(bytes, *schema);
    if (!got) {
      ++refused;
      continue;
    }
    for (uint32_t row = 0; row < got->rows; ++row) (void)row_bytes(*got, row);  // reads every value
  }
  CHECK(refused > 20);
}

TEST_CASE("a batch of another schema is refused") {
  Schema one{{{"a", *parse_type("INT")}}};
  Schema other{{{"a", *parse_type("BIGINT")}}};
  auto column = make_column(*one.fields[0].type);
  column->resize(1);
  column->values<int32_t>()[0] = 1;
  const Batch batch{1, {column}, std::make_shared<std::vector<int64_t>>(1), nullptr, nullptr, {}};
  const std::string bytes = encode_batch(batch, one);
  CHECK_FALSE(decode_batch(bytes, other));
  CHECK_FALSE(decode_batch(bytes, Schema{}));
}
