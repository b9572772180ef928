#include "core/status.h"

#include <catch2/catch.hpp>

#include <cerrno>
#include <set>

using namespace millrace;

namespace {

Result<int> half_of(int value) {
  if (value % 2 != 0) return make_error(ErrorCode::kBadValue, "odd");
  return value / 2;
}

Result<int> quarter_of(int value) {
  MR_ASSIGN(const int half, half_of(value));
  MR_TRY(half_of(half));
  return half / 2;
}

}  // namespace

TEST_CASE("errors pass through MR_TRY and MR_ASSIGN") {
  CHECK(*quarter_of(8) == 2);
  CHECK(quarter_of(3).error().message == "odd");
  CHECK(quarter_of(2).error().code == ErrorCode::kBadValue);
}

TEST_CASE("an error prints its code, message and help") {
  CHECK(Error{ErrorCode::kUnknownColumn, "no column `x`", "use `y`"}.to_string() == "E0203: no column `x` (use `y`)");
  CHECK(Error{ErrorCode::kIo, "m", ""}.with_context("file f").message == "file f: m");
}

TEST_CASE("every code of the catalogue is used once and found in any letter case") {
  std::set<std::string_view> codes;
#define X(id, text, ...)                           \
  CHECK(codes.insert(text).second);                \
  CHECK(error_info(ErrorCode::id).code == (text)); \
  CHECK(find_error_info(text) == &error_info(ErrorCode::id));
#include "core/errors.inc"
#undef X
  CHECK(find_error_info("e0203") != nullptr);
  CHECK(find_error_info("E9999") == nullptr);
}

TEST_CASE("a full disk and a missing file have their own codes") {
  CHECK(errno_error("write", "/f", ENOSPC).error().code == ErrorCode::kDiskFull);
  CHECK(errno_error("write", "/f", ENOSPC).error().transient());
  CHECK(errno_error("open", "/f", ENOENT).error().code == ErrorCode::kNotFound);
  CHECK(errno_error("open", "/f", EACCES).error().message.find("/f") != std::string::npos);
}
