#include "data/batch.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

SchemaPtr batch_test_schema() {
  auto schema = std::make_shared<Schema>();
  schema->fields = {
      {"n", make_type(TypeKind::kBigInt)}, {"s", make_string()}, {"list", *parse_type("ARRAY<ROW<a INT, b STRING>>")}};
  return schema;
}

/// Rows i = 0..count-1: n = 10 i (NULL at 2), s = "s<i>", list = i elements {i, "e<i>"}.
Batch batch_of_numbers(const Schema& schema, uint32_t count) {
  auto arena = std::make_shared<Arena>(64);
  auto numbers = make_column(*schema.fields[0].type);
  auto strings = make_column(*schema.fields[1].type);
  auto lists = make_column(*schema.fields[2].type);
  auto a = std::make_shared<Column>(PhysicalType::kInt32);
  auto b = std::make_shared<Column>(PhysicalType::kString);
  numbers->resize(count);
  strings->resize(count);
  lists->resize(count);
  auto times = std::make_shared<std::vector<int64_t>>();
  uint32_t elements = 0;
  for (uint32_t i = 0; i < count; ++i) {
    numbers->values<int64_t>()[i] = 10 * i;
    strings->values<StringRef>()[i] = arena->copy("s" + std::to_string(i));
    for (uint32_t k = 0; k < i; ++k) {
      a->resize(elements + 1);
      b->resize(elements + 1);
      a->values<int32_t>()[elements] = static_cast<int32_t>(i);
      b->values<StringRef>()[elements] = arena->copy("e" + std::to_string(i));
      ++elements;
    }
    lists->offsets()[i + 1] = elements;
    times->push_back(1000 + i);
  }
  if (count > 2) numbers->set_null(2);
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->resize(elements);
  entries->children() = {a, b};
  lists->children() = {entries};
  return Batch{count, {numbers, strings, lists}, times, nullptr, nullptr, {arena}};
}

std::string describe(const Batch& batch, uint32_t row) {
  std::string text = batch.columns[0]->is_null(row) ? "null" : std::to_string(batch.columns[0]->values<int64_t>()[row]);
  text += " " + std::string(batch.columns[1]->values<StringRef>()[row].view()) + " [";
  const Column& list = *batch.columns[2];
  for (uint32_t e = list.offsets()[row]; e < list.offsets()[row + 1]; ++e) {
    const Column& entry = *list.children()[0];
    text += std::to_string(entry.children()[0]->values<int32_t>()[e]);
    text += entry.children()[1]->values<StringRef>()[e].view();
  }
  return text + "] " + std::to_string((*batch.event_times)[row]);
}

}  // namespace

TEST_CASE("compacting resolves the selection and copies strings") {
  auto schema = batch_test_schema();
  Batch dense;
  {
    Batch batch = batch_of_numbers(*schema, 4);
    batch.selection = std::make_shared<std::vector<uint32_t>>(std::vector<uint32_t>{0, 2, 3});
    dense = compact(batch, *schema);
  }  // the source and its arena are gone
  REQUIRE(dense.rows == 3);
  CHECK_FALSE(dense.selection);
  CHECK(describe(dense, 0) == "0 s0 [] 1000");
  CHECK(describe(dense, 1) == "null s2 [2e22e2] 1002");
  CHECK(describe(dense, 2) == "30 s3 [3e33e33e3] 1003");
}

TEST_CASE("gathering picks rows in any order and repeats them") {
  auto schema = batch_test_schema();
  const Batch batch = batch_of_numbers(*schema, 4);
  const std::vector<uint32_t> rows = {3, 1, 1};
  const Batch picked = gather(batch, *schema, rows);
  REQUIRE(picked.rows == 3);
  CHECK(describe(picked, 0) == "30 s3 [3e33e33e3] 1003");
  CHECK(describe(picked, 1) == describe(picked, 2));
  CHECK(picked.columns[1]->values<StringRef>()[1].data == batch.columns[1]->values<StringRef>()[1].data);
  CHECK(gather(batch, *schema, {}).rows == 0);
}

TEST_CASE("a builder collects rows of many batches") {
  auto schema = batch_test_schema();
  BatchBuilder builder(schema);
  {
    Batch plain = batch_of_numbers(*schema, 3);
    builder.append(plain, nullptr, 3);
    Batch changes = batch_of_numbers(*schema, 2);
    changes.kinds =
        std::make_shared<std::vector<uint8_t>>(std::vector<uint8_t>{0, static_cast<uint8_t>(RowKind::kDelete)});
    const uint32_t row = 1;
    builder.append(changes, &row, 1);
  }
  CHECK(builder.rows() == 4);
  CHECK(builder.bytes() > 0);
  const Batch batch = builder.finish();
  REQUIRE(batch.rows == 4);
  CHECK(describe(batch, 2) == "null s2 [2e22e2] 1002");
  CHECK(describe(batch, 3) == "10 s1 [1e1] 1001");
  CHECK(batch.kind(0) == RowKind::kInsert);
  CHECK(batch.kind(3) == RowKind::kDelete);
  CHECK(builder.rows() == 0);
  CHECK(builder.finish().rows == 0);
}

TEST_CASE("a batch counts the arenas that it pins") {
  auto schema = batch_test_schema();
  Batch batch = batch_of_numbers(*schema, 4);
  const size_t before = batch.bytes();
  auto arena = std::make_shared<Arena>();
  arena->allocate(10);
  batch.arenas.push_back(arena);
  CHECK(batch.bytes() == before + arena->bytes());
  CHECK(arena->bytes() >= 64 * 1024);
}

TEST_CASE("an arena keeps addresses stable and every text padded") {
  Arena arena(128);
  std::vector<StringRef> refs;
  for (int i = 0; i < 100; ++i) refs.push_back(arena.copy("text number " + std::to_string(i)));
  refs.push_back(arena.copy(std::string(10'000, 'x')));
  CHECK(refs[7].view() == "text number 7");
  volatile char padding = refs.back().data[10'000 + 63];
  CHECK(padding == 0);
}

TEST_CASE("a column that grows keeps its values and its NULLs") {
  Column column(PhysicalType::kInt64);
  column.resize(1);
  column.values<int64_t>()[0] = 7;
  column.resize(1000);
  column.values<int64_t>()[999] = 9;
  CHECK(column.nulls() == nullptr);
  column.set_null(5);
  column.resize(2000);
  CHECK(column.values<int64_t>()[0] == 7);
  CHECK(column.is_null(5));
  CHECK_FALSE(column.is_null(1999));
  CHECK(column.values<int64_t>()[5] == 0);
}
