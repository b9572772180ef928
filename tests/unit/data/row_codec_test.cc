#include "data/row_codec.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace millrace {

TEST_CASE("a row of every kind of column comes back as it was") {
  const std::vector<TypePtr> types{make_type(TypeKind::kBoolean),
                                   make_type(TypeKind::kInt),
                                   make_type(TypeKind::kDouble),
                                   make_decimal(38, 2),
                                   make_string(),
                                   make_array(make_string()),
                                   make_row({"a", "b"}, {make_type(TypeKind::kBigInt), make_string()})};
  Arena arena;
  Batch batch;
  batch.rows = 2;
  std::vector<std::shared_ptr<Column>> in;
  for (const TypePtr& type : types) in.push_back(make_column(*type));
  for (size_t i = 0; i < 5; ++i) in[i]->resize(1);
  in[0]->values<uint8_t>()[0] = 1;
  in[1]->values<int32_t>()[0] = -7;
  in[2]->values<double>()[0] = -0.0;
  in[3]->values<int128>()[0] = -(int128{1} << 100);
  in[4]->values<StringRef>()[0] = StringRef("text");
  auto& elements = const_cast<Column&>(*in[5]->children()[0]);
  elements.resize(2);
  elements.values<StringRef>()[0] = StringRef("x");
  elements.set_null(1);
  in[5]->resize(1);
  in[5]->offsets()[1] = 2;
  in[6]->resize(1);
  auto& number = const_cast<Column&>(*in[6]->children()[0]);
  number.resize(1);
  number.values<int64_t>()[0] = 5;
  append_null(const_cast<Column&>(*in[6]->children()[1]));
  for (const auto& column : in) append_null(*column);
  batch.columns.assign(in.begin(), in.end());
  std::vector<std::shared_ptr<Column>> out;
  for (const TypePtr& type : types) out.push_back(make_column(*type));
  for (uint32_t row = 0; row < 2; ++row) {
    std::string bytes;
    encode_row(batch, row, bytes);
    REQUIRE(decode_row(bytes, out, arena));
    std::vector<std::shared_ptr<Column>> scratch;
    for (const TypePtr& type : types) scratch.push_back(make_column(*type));
    CHECK_FALSE(decode_row(std::string_view(bytes).substr(0, bytes.size() - 1), scratch, arena));
  }
  CHECK(std::signbit(out[2]->values<double>()[0]));
  CHECK(out[3]->values<int128>()[0] == -(int128{1} << 100));
  CHECK(out[4]->values<StringRef>()[0].view() == "text");
  CHECK(out[5]->offsets() == std::vector<uint32_t>{0, 2, 2});
  CHECK(out[5]->children()[0]->is_null(1));
  CHECK(out[6]->children()[0]->values<int64_t>()[0] == 5);
  CHECK(out[6]->children()[1]->is_null(0));
  for (const auto& column : out) CHECK(column->is_null(1));
}

}  // namespace millrace
