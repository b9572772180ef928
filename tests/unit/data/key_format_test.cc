#include "data/key_format.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace millrace {
namespace {

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> 4]);
    hex.push_back("0123456789abcdef"[c & 15]);
  }
  return hex;
}

struct KeyCase {
  std::shared_ptr<Schema> schema = std::make_shared<Schema>();
  Batch batch;
  ArenaPtr arena = std::make_shared<Arena>();

  template <class T>
  KeyCase& add(const TypePtr& type, std::vector<std::optional<T>> values) {
    auto column = make_column(*type);
    column->resize(static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < values.size(); ++i) {
      if (values[i]) {
        column->values<T>()[i] = *values[i];
      } else {
        column->set_null(i);
      }
    }
    batch.rows = static_cast<uint32_t>(values.size());
    schema->fields.push_back({"c", type});
    batch.columns.push_back(column);
    return *this;
  }

  EncodedKeys encode() {
    std::vector<uint32_t> columns;
    for (uint32_t i = 0; i < batch.columns.size(); ++i) columns.push_back(i);
    EncodedKeys keys;
    encode_keys(batch, *schema, columns, keys);
    return keys;
  }
};

}  // namespace

TEST_CASE("key format 1 has fixed bytes and hashes for integers") {
  KeyCase c;
  c.add<int64_t>(make_type(TypeKind::kBigInt), {1, -2, std::nullopt});
  const EncodedKeys keys = c.encode();
  CHECK(hex_of(keys.keys[0]) == "010100000000000000");
  CHECK(hex_of(keys.keys[1]) == "01feffffffffffffff");
  CHECK(hex_of(keys.keys[2]) == "00");
  // The numbers below are part of the format: a change here breaks every checkpoint ever written.
  CHECK(keys.hashes[2] == 0xc44bdff4074eecdbULL);
  CHECK(keys.hashes[0] == 0xa048b5cb82162577ULL);
}

TEST_CASE("INT and BIGINT keys of the same number are the same key") {
  KeyCase narrow;
  narrow.add<int32_t>(make_type(TypeKind::kInt), {42, -1});
  KeyCase wide;
  wide.add<int64_t>(make_type(TypeKind::kBigInt), {42, -1});
  const EncodedKeys a = narrow.encode();
  const EncodedKeys b = wide.encode();
  CHECK(a.keys[0] == b.keys[0]);
  CHECK(a.keys[1] == b.keys[1]);
}

TEST_CASE("strings, doubles and decimals have fixed bytes") {
  KeyCase text;
  text.add<StringRef>(make_string(), {StringRef("abc"), StringRef("")});
  CHECK(hex_of(text.encode().keys[0]) == "0103000000616263");
  CHECK(hex_of(text.encode().keys[1]) == "0100000000");
  CHECK(text.encode().hashes[0] == 0x29bb3012abc05f1aULL);
  KeyCase number;
  number.add<double>(make_type(TypeKind::kDouble), {0.0, -0.0, std::nan("1"), -std::nan("2")});
  const EncodedKeys keys = number.encode();
  CHECK(keys.keys[0] == keys.keys[1]);
  CHECK(keys.keys[2] == keys.keys[3]);
  KeyCase decimal;
  decimal.add<int128>(make_decimal(10, 2), {int128{-5}});
  CHECK(hex_of(decimal.encode().keys[0]) == "01fbffffffffffffffffffffffffffffff");
}

TEST_CASE("several columns are joined, and decode to what they were") {
  KeyCase c;
  c.add<StringRef>(make_string(), {StringRef("u1"), std::nullopt});
  c.add<int64_t>(make_type(TypeKind::kTimestamp), {7, 8});
  const EncodedKeys keys = c.encode();
  CHECK(hex_of(keys.keys[0]) == "01020000007531010700000000000000");
  std::vector<TypePtr> types{make_string(), make_type(TypeKind::kTimestamp)};
  std::vector<std::shared_ptr<Column>> out{make_column(*types[0]), make_column(*types[1])};
  Arena arena;
  REQUIRE(decode_key(keys.keys[0], types, out, arena));
  REQUIRE(decode_key(keys.keys[1], types, out, arena));
  CHECK(out[0]->values<StringRef>()[0].view() == "u1");
  CHECK(out[0]->is_null(1));
  CHECK(out[1]->values<int64_t>()[1] == 8);
  CHECK_FALSE(decode_key(keys.keys[0].substr(0, 5), types, out, arena));
}

TEST_CASE("the selection decides which rows are encoded") {
  KeyCase c;
  c.add<int64_t>(make_type(TypeKind::kBigInt), {1, 2, 3});
  c.batch.selection = std::make_shared<const std::vector<uint32_t>>(std::vector<uint32_t>{2});
  const EncodedKeys keys = c.encode();
  REQUIRE(keys.keys.size() == 1);
  CHECK(hex_of(keys.keys[0]) == "010300000000000000");
}

TEST_CASE("every key group has one owner, at every parallelism") {
  for (uint32_t max : {1U, 7U, 128U, 32768U}) {
    for (uint32_t parallelism = 1; parallelism <= std::min(max, 40U); ++parallelism) {
      uint32_t next = 0;
      for (uint32_t i = 0; i < parallelism; ++i) {
        const KeyGroupRange range = key_group_range(max, parallelism, i);
        REQUIRE(range.first == next);
        for (uint32_t g = range.first; g < range.last; ++g) REQUIRE(owner_of_key_group(g, max, parallelism) == i);
        next = range.last;
      }
      REQUIRE(next == max);
    }
  }
}

}  // namespace millrace
