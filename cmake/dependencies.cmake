# What Millrace stands on: Debian 12 packages, installed by `./dev setup`.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
set(MILLRACE_ROCKSDB PkgConfig::rocksdb)
if(NOT MILLRACE_TEST_HOOKS) # a release has it inside: its symbols, looked up at every start, cost 5 ms
  find_library(ROCKSDB_ARCHIVE librocksdb.a REQUIRED)
  set(MILLRACE_ROCKSDB ${ROCKSDB_ARCHIVE} snappy bz2 z zstd lz4 ${CMAKE_DL_LIBS})
endif()
find_library(MILLRACE_LIBPQ pq REQUIRED) # no pkg-config: its include directory is for all, ours says <postgresql/…>
find_library(PROMETHEUS_CORE prometheus-cpp-core REQUIRED)
find_library(MILLRACE_ALLOCATOR NAMES jemalloc REQUIRED)

add_library(millrace_dependencies INTERFACE)
target_include_directories(millrace_dependencies INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(millrace_dependencies INTERFACE -Wall -Wextra -Wconversion -Wshadow
  $<$<BOOL:${MILLRACE_WERROR}>:-Werror> -march=x86-64-v2)
target_compile_definitions(millrace_dependencies INTERFACE $<$<BOOL:${MILLRACE_TEST_HOOKS}>:MILLRACE_TEST_HOOKS=1>
  BOOST_ASIO_NO_DEPRECATED)
if(MILLRACE_SANITIZER)
  list(JOIN MILLRACE_SANITIZER "," sanitizers)
  # g++ 12 warns of uninitialised values inside <functional> and <regex> when it instruments them, and of Asio's fences.
  target_compile_options(millrace_dependencies INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer
    -Wno-maybe-uninitialized -Wno-tsan)
  target_link_options(millrace_dependencies INTERFACE -fsanitize=${sanitizers})
  if(MILLRACE_SANITIZER STREQUAL "thread") # core/tsan_threads.cc
    target_link_options(millrace_dependencies INTERFACE -Wl,-u,thrd_create -Wl,-u,thrd_join)
  endif()
  set(MILLRACE_ALLOCATOR "")
endif()
target_link_libraries(millrace_dependencies INTERFACE Threads::Threads fmt::fmt yaml-cpp simdjson::simdjson
  nlohmann_json::nlohmann_json OpenSSL::Crypto OpenSSL::SSL PkgConfig::rdkafka PkgConfig::re2 PkgConfig::xxhash
  PkgConfig::zstd PkgConfig::lz4 PkgConfig::curl ${MILLRACE_ROCKSDB} ${PROMETHEUS_CORE})
