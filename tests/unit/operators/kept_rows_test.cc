#include "runtime/operators/join/kept_rows.h"

#include <catch2/catch.hpp>
#include <string>

#include "data/row_codec.h"

namespace millrace {

namespace {

SchemaPtr kept_schema() {
  auto schema = std::make_shared<Schema>();
  schema->fields = {{"n", make_type(TypeKind::kBigInt)},
                    {"text", make_string()},
                    {"list", make_array(make_type(TypeKind::kInt))},
                    {"unread", make_type(TypeKind::kInt)}};
  return schema;
}

/// Rows `first` and on: n, "text <n>", [n, n + 1]; n is NULL where it is a multiple of 5. `unread` was never decoded.
Batch kept_batch(int64_t first, uint32_t rows) {
  const SchemaPtr schema = kept_schema();
  Batch batch;
  batch.rows = rows;
  const auto arena = std::make_shared<Arena>();
  auto number = make_column(*schema->fields[0].type);
  auto text = make_column(*schema->fields[1].type);
  auto list = make_column(*schema->fields[2].type);
  auto element = std::const_pointer_cast<Column>(list->children()[0]);
  number->resize(rows);
  text->resize(rows);
  list->resize(rows);
  element->resize(rows * 2);
  for (uint32_t i = 0; i < rows; ++i) {
    const int64_t n = first + i;
    number->values<int64_t>()[i] = n;
    if (n % 5 == 0) number->set_null(i);
    text->values<StringRef>()[i] = arena->copy("text " + std::to_string(n));
    element->values<int32_t>()[i * 2] = static_cast<int32_t>(n);
    element->values<int32_t>()[i * 2 + 1] = static_cast<int32_t>(n + 1);
    list->offsets()[i + 1] = i * 2 + 2;
  }
  batch.columns = {number, text, list, nullptr};
  batch.event_times = std::make_shared<std::vector<int64_t>>(rows, 0);
  batch.arenas = {arena};
  return batch;
}

/// What a row looks like when it is gathered: "n text a+b", with ~ for NULL.
std::vector<std::string> gathered(const KeptRows& rows, const std::vector<KeptRows::Ref>& refs) {
  const SchemaPtr schema = kept_schema();
  Arena arena;
  std::vector<std::shared_ptr<Column>> columns;
  for (size_t i = 0; i < schema->fields.size(); ++i) {
    columns.push_back(make_column(*schema->fields[i].type));
    rows.gather(i, refs, *columns.back(), arena);
    REQUIRE(columns.back()->size() == refs.size());
  }
  std::vector<std::string> shown;
  for (uint32_t i = 0; i < refs.size(); ++i) {
    CHECK(columns[3]->is_null(i));
    std::string line = columns[0]->is_null(i) ? "~" : std::to_string(columns[0]->values<int64_t>()[i]);
    line += columns[1]->is_null(i) ? " ~" : " " + std::string(columns[1]->values<StringRef>()[i].view());
    if (columns[2]->is_null(i)) {
      shown.push_back(line + " ~");
      continue;
    }
    const uint32_t at = columns[2]->offsets()[i];
    const int32_t* elements = columns[2]->children()[0]->values<int32_t>();
    shown.push_back(line + " " + std::to_string(elements[at]) + "+" + std::to_string(elements[at + 1]));
  }
  return shown;
}

}  // namespace

TEST_CASE("kept rows come back in any order, NULLs and absent rows among them") {
  KeptRows rows(kept_schema());
  std::vector<KeptRows::Ref> refs;
  {
    Batch batch = kept_batch(1, 3000);
    rows.append(batch, refs);
  }
  Batch selected = kept_batch(3001, 3000);
  selected.selection = std::make_shared<std::vector<uint32_t>>(std::vector<uint32_t>{2, 2000, 2001});
  rows.append(selected, refs);
  REQUIRE(refs.size() == 3003);
  CHECK(gathered(rows, {refs[3002], refs[0], KeptRows::kNone, refs[4], refs[2999]}) ==
        std::vector<std::string>{"5002 text 5002 5002+5003", "1 text 1 1+2", "~ ~ ~", "~ text 5 5+6",
                                 "~ text 3000 3000+3001"});
}

TEST_CASE("a chunk is used again when none of its rows is") {
  KeptRows rows(kept_schema());
  std::vector<KeptRows::Ref> first;
  rows.append(kept_batch(1, 10'000), first);
  std::vector<KeptRows::Ref> kept;
  for (size_t i = 0; i < first.size(); ++i) {
    if (i == 9'000) {
      kept.push_back(first[i]);
    } else {
      rows.release(first[i]);
    }
  }
  CHECK(gathered(rows, {first[100]}) == std::vector<std::string>{"101 text 101 101+102"});  // until the sweep
  rows.sweep();
  std::vector<KeptRows::Ref> again;
  rows.append(kept_batch(1, 4'000), again);
  CHECK(*std::ranges::max_element(again) < 3 * 4096);  // ten thousand rows lay in three chunks of 4,096
  CHECK(gathered(rows, {kept[0], again[0]}) == std::vector<std::string>{"9001 text 9001 9001+9002", "1 text 1 1+2"});
}

TEST_CASE("a kept row survives its form in a snapshot; a damaged one is refused") {
  KeptRows rows(kept_schema());
  std::vector<KeptRows::Ref> refs;
  rows.append(kept_batch(7, 1), refs);
  std::string bytes;
  rows.encode(refs[0], bytes);
  KeptRows other(kept_schema());
  const KeptRows::Ref restored = other.append(bytes);
  REQUIRE(restored != KeptRows::kNone);
  CHECK(gathered(other, {restored}) == gathered(rows, refs));
  CHECK(KeptRows(kept_schema()).append(bytes.substr(0, bytes.size() - 1)) == KeptRows::kNone);
}

}  // namespace millrace
