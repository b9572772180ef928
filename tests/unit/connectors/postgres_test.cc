#include <catch2/catch.hpp>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/row_text.h"
#include "connectors/postgres/table.h"
#include "tests/unit/connectors/endpoint_support.h"

namespace millrace {

namespace {

PgColumn pg_column(std::string name, std::string type) {
  PgColumn column;
  column.name = std::move(name);
  column.full_type = column.type = std::move(type);
  return column;
}

/// One row through the encoder: its values joined by "|", or "refused: why".
std::string pg_text(std::string_view schema, std::string json, std::vector<PgColumn> columns,
                    RowKind kind = RowKind::kInsert, std::vector<uint32_t> key = {}) {
  PgTable table;
  table.write.table = "t";
  table.columns = std::move(columns);
  table.key = std::move(key);
  const PgRowEncoder encoder(schema_of(decode_columns(schema)), table);
  std::string bytes = "kept";
  const auto refused = encoder.append(batch_of(schema, {std::move(json)}, {kind}), 0, bytes);
  if (refused) {
    CHECK(bytes == "kept");
    return "refused: " + *refused;
  }
  PgRow row;
  REQUIRE(read_pg_row(std::string_view(bytes).substr(4), table.columns.size(), row));
  std::string text = row.removes ? "-" : "+";
  for (const auto& value : row.values) text += (value ? std::string(*value) : "NULL") + "|";
  return text;
}

}  // namespace

TEST_CASE("values become the texts that PostgreSQL reads") {
  CHECK(pg_text("a INT, b BOOLEAN, c DECIMAL(10,2), d STRING", R"({"a":-5,"b":true,"c":"1.50","d":"x|y"})",
                {pg_column("a", "int4"), pg_column("b", "bool"), pg_column("c", "numeric"), pg_column("d", "text")}) ==
        "+-5|true|1.50|x|y|");
  CHECK(pg_text("a TIMESTAMP(3), b TIMESTAMP(3), c BYTES, d ARRAY<INT>", R"({"a":0,"b":1500,"c":"AP8=","d":[1,2]})",
                {pg_column("a", "timestamp"), pg_column("b", "timestamptz"), pg_column("c", "bytea"),
                 pg_column("d", "jsonb")}) == "+1970-01-01 00:00:00.000|1970-01-01 00:00:01.500+00|\\x00ff|[1,2]|");
}

TEST_CASE("rows that the table cannot hold are refused with the column and the reason") {
  CHECK(pg_text("a BIGINT", R"({"a":40000})", {pg_column("a", "int2")}) == "refused: t.a: 40000 does not fit int2");
  PgColumn limited = pg_column("s", "varchar");
  limited.length = 2;
  limited.full_type = "character varying(2)";
  CHECK(pg_text("s STRING", R"({"s":"üü"})", {limited}) == "+üü|");
  CHECK(pg_text("s STRING", R"({"s":"abc"})", {limited}) ==
        "refused: t.s: 3 characters do not fit character varying(2)");
  PgColumn price = pg_column("p", "numeric");
  price.precision = 4;
  price.scale = 1;
  CHECK(pg_text("p DECIMAL(10,2)", R"({"p":"999.94"})", {price}) == "+999.94|");
  CHECK(pg_text("p DECIMAL(10,2)", R"({"p":"999.95"})", {price}).starts_with("refused: t.p: 999.95 does not fit"));
  PgColumn wanted = pg_column("w", "int4");
  wanted.not_null = true;
  CHECK(pg_text("w INT", "{}", {wanted}) == "refused: t.w: it is NULL, and the column is NOT NULL");
  CHECK(pg_text("s STRING", R"({"s":"a\u0000b"})", {pg_column("s", "text")}).starts_with("refused: t.s: "));
}

TEST_CASE("a deletion carries its key only") {
  PgColumn wanted = pg_column("v", "int4");
  wanted.not_null = true;
  CHECK(pg_text("k STRING, v INT", R"({"k":"x"})", {pg_column("k", "text"), wanted}, RowKind::kDelete, {0}) ==
        "-x|NULL|");
  CHECK(pg_text("k STRING, v INT", R"({"v":1})", {pg_column("k", "text"), wanted}, RowKind::kDelete, {0})
            .starts_with("refused: t.k: it is NULL"));
}

TEST_CASE("what is written where survives as text") {
  const PgWrite write{"app.t", true, {"a", "b"}, {"a", "b", "a column"}};
  const auto read = PgWrite::from_text(write.to_text());
  REQUIRE(read);
  CHECK(read->table == "app.t");
  CHECK(read->upsert);
  CHECK(read->key == write.key);
  CHECK(read->columns == write.columns);
  CHECK_FALSE(PgWrite::from_text("t\nappend\n\n"));
  CHECK(pg_table_name("app.my\"t") == "\"app\".\"my\"\"t\"");
}

TEST_CASE("an SQLSTATE says whether a repetition may help") {
  CHECK(pg_error_code("") == ErrorCode::kUnreachable);
  CHECK(pg_error_code("57P01") == ErrorCode::kUnreachable);
  CHECK(pg_error_code("40P01") == ErrorCode::kExternalFailed);
  CHECK(pg_error_code("53100") == ErrorCode::kExternalFailed);
  CHECK(pg_error_code("23505") == ErrorCode::kOutputRefused);
  CHECK(pg_error_code("22003") == ErrorCode::kOutputRefused);
  CHECK(pg_error_code("42P01") == ErrorCode::kExternalRefused);
}

}  // namespace millrace
