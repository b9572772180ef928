#include "data/key_format.h"

#include <catch2/catch.hpp>

#include "core/hash.h"
#include "core/random.h"

using namespace millrace;

namespace {

std::string hex_text(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : bytes) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

struct KeyCase {
  SchemaPtr schema;
  Batch batch;
  EncodedKeys keys;
};

/// One column of one type, filled by `fill`, encoded.
template <class Fill>
KeyCase encoded_column(const char* type, uint32_t rows, Fill fill) {
  KeyCase made;
  auto schema = std::make_shared<Schema>();
  schema->fields = {{"k", *parse_type(type)}};
  auto column = make_column(*schema->fields[0].type);
  column->resize(rows);
  fill(*column);
  made.batch.rows = rows;
  made.batch.columns = {column};
  made.batch.event_times = std::make_shared<std::vector<int64_t>>(rows);
  made.schema = schema;
  const uint32_t zero = 0;
  encode_keys(made.batch, *schema, {&zero, 1}, made.keys);
  return made;
}

}  // namespace

TEST_CASE("key format 1 of a BIGINT is fixed") {
  auto made = encoded_column("BIGINT", 3, [](Column& c) {
    c.values<int64_t>()[0] = 1;
    c.values<int64_t>()[1] = -2;
    c.set_null(2);
  });
  CHECK(hex_text(made.keys.keys[0]) == "010100000000000000");
  CHECK(hex_text(made.keys.keys[1]) == "01feffffffffffffff");
  CHECK(hex_text(made.keys.keys[2]) == "00");
  CHECK(made.keys.hashes[0] == 0xa048b5cb82162577);
  CHECK(made.keys.hashes[2] == 0xc44bdff4074eecdb);
}

TEST_CASE("the hash of an integer key is that of its bytes, whatever way it was computed") {
  SeededRandom random(3);
  const auto wide = encoded_column("BIGINT", 4000, [&](Column& c) {
    for (uint32_t i = 0; i < 4000; ++i) {
      c.values<int64_t>()[i] = static_cast<int64_t>(random.next()) >> (i % 64);
    }
  });
  const auto narrow = encoded_column("INT", 4000, [&](Column& c) {
    for (uint32_t i = 0; i < 4000; ++i) c.values<int32_t>()[i] = static_cast<int32_t>(random.next()) >> (i % 32);
  });
  for (const auto* made : {&wide, &narrow}) {
    for (size_t i = 0; i < made->keys.keys.size(); ++i) REQUIRE(made->keys.hashes[i] == hash64(made->keys.keys[i]));
  }
}

TEST_CASE("all integer types share one key form") {
  const auto one = [](Column& c) { c.values<int32_t>()[0] = -7; };
  const auto wide = encoded_column("BIGINT", 1, [](Column& c) { c.values<int64_t>()[0] = -7; });
  for (const char* type : {"TINYINT", "SMALLINT", "INT", "DATE", "TIME"}) {
    CHECK(encoded_column(type, 1, one).keys.keys[0] == wide.keys.keys[0]);
  }
  const auto flag = encoded_column("BOOLEAN", 1, [](Column& c) { c.values<uint8_t>()[0] = 1; });
  CHECK(hex_text(flag.keys.keys[0]) == "010100000000000000");
}

TEST_CASE("key format 1 of a STRING is fixed") {
  auto made = encoded_column("STRING", 3, [](Column& c) {
    c.values<StringRef>()[0] = StringRef(std::string_view("abc"));
    c.values<StringRef>()[1] = StringRef(std::string_view(""));
    c.set_null(2);
  });
  CHECK(hex_text(made.keys.keys[0]) == "0103000000616263");
  CHECK(hex_text(made.keys.keys[1]) == "0100000000");
  CHECK(hex_text(made.keys.keys[2]) == "00");
  CHECK(made.keys.hashes[0] == 0x29bb3012abc05f1a);
}

TEST_CASE("key format 1 of DECIMAL is the unscaled value, of floats one zero and one NaN") {
  auto decimal = encoded_column("DECIMAL(10, 2)", 1, [](Column& c) { c.values<int128>()[0] = -1; });
  CHECK(hex_text(decimal.keys.keys[0]) == "01ffffffffffffffffffffffffffffffff");
  auto doubles = encoded_column("DOUBLE", 5, [](Column& c) {
    double* v = c.values<double>();
    v[0] = 1.5;
    v[1] = 0.0;
    v[2] = -0.0;
    v[3] = std::numeric_limits<double>::quiet_NaN();
    v[4] = -std::numeric_limits<double>::quiet_NaN();
  });
  CHECK(hex_text(doubles.keys.keys[0]) == "01000000000000f83f");
  CHECK(hex_text(doubles.keys.keys[1]) == "010000000000000000");
  CHECK(doubles.keys.keys[1] == doubles.keys.keys[2]);
  CHECK(hex_text(doubles.keys.keys[3]) == "01000000000000f87f");
  CHECK(doubles.keys.keys[3] == doubles.keys.keys[4]);
  auto floats = encoded_column("FLOAT", 1, [](Column& c) { c.values<float>()[0] = 1.5f; });
  CHECK(floats.keys.keys[0] == doubles.keys.keys[0]);
}

TEST_CASE("key format 1 of an ARRAY counts its elements") {
  auto made = encoded_column("ARRAY<INT>", 2, [](Column& c) {
    auto elements = std::make_shared<Column>(PhysicalType::kInt32);
    elements->resize(2);
    elements->values<int32_t>()[0] = 5;
    elements->set_null(1);
    c.offsets() = {0, 2, 2};
    c.children()[0] = elements;
  });
  CHECK(hex_text(made.keys.keys[0]) == "010200000001050000000000000000");
  CHECK(hex_text(made.keys.keys[1]) == "0100000000");
  std::string one;
  append_key_value(*made.batch.columns[0], 0, one);
  CHECK(one == made.keys.keys[0]);
}

TEST_CASE("no key column gives the empty key, and a selection picks rows") {
  auto made = encoded_column("INT", 3, [](Column& c) {
    for (int i = 0; i < 3; ++i) c.values<int32_t>()[i] = i;
  });
  made.batch.selection = std::make_shared<std::vector<uint32_t>>(std::vector<uint32_t>{2});
  const std::string last(made.keys.keys[2]);
  const uint32_t zero = 0;
  EncodedKeys keys;
  encode_keys(made.batch, *made.schema, {&zero, 1}, keys);
  REQUIRE(keys.keys.size() == 1);
  CHECK(keys.keys[0] == last);
  const EncodedKeys moved = std::move(keys);
  CHECK(moved.keys[0] == last);
  EncodedKeys global;
  encode_keys(made.batch, *made.schema, {}, global);
  REQUIRE(global.keys.size() == 1);
  CHECK(global.keys[0].empty());
  CHECK(global.hashes[0] == hash64(""));
}

TEST_CASE("a key of several columns is their concatenation and decodes back") {
  Schema schema{
      {{"a", *parse_type("INT")}, {"b", make_string()}, {"c", *parse_type("ROW<x DOUBLE, y ARRAY<STRING>>")}}};
  std::vector<TypePtr> types;
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema.fields) {
    types.push_back(field.type);
    columns.push_back(make_column(*field.type));
  }
  Arena arena;
  const std::string key = std::string("\x01\x07\0\0\0\0\0\0\0", 9) + std::string("\x01\x02\0\0\0hi", 7) +
                          std::string("\x01\x02\0\0\0\0\x01\x01\0\0\0\x01\x01\0\0\0z", 17);
  REQUIRE(decode_key(key, types, columns, arena));
  REQUIRE(decode_key(std::string("\x00\x00\x00", 3), types, columns, arena));
  Batch batch{2, {}, std::make_shared<std::vector<int64_t>>(2), nullptr, nullptr, {}};
  batch.columns.assign(columns.begin(), columns.end());
  EncodedKeys keys;
  encode_keys(batch, schema, std::vector<uint32_t>{0, 1, 2}, keys);
  CHECK(hex_text(keys.keys[0]) == hex_text(key));
  CHECK(hex_text(keys.keys[1]) == "000000");
  CHECK(keys.hashes[0] == hash64(key));
  for (size_t size = 0; size < key.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode_key(std::string_view(key).substr(0, size), types, columns, arena));
  }
}

TEST_CASE("key groups are spread over subtasks by Flink's rule without gaps") {
  for (uint32_t parallelism : {1u, 2u, 3u, 7u, 100u, 128u}) {
    uint32_t next = 0;
    for (uint32_t index = 0; index < parallelism; ++index) {
      const KeyGroupRange range = key_group_range(128, parallelism, index);
      CHECK(range.first == next);
      for (uint32_t group = range.first; group < range.last; ++group) {
        CHECK(owner_of_key_group(group, 128, parallelism) == index);
      }
      next = range.last;
    }
    CHECK(next == 128);
  }
  CHECK(key_group_range(128, 3, 1).first == 43);
  CHECK(key_group_of(0, 128) == 0);
  CHECK(key_group_of(~uint64_t{0}, 128) == 127);
  CHECK(key_group_of(uint64_t{1} << 63, 128) == 64);
}
