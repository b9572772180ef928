// Named places where a test build dies at once, as kill -9 would: MILLRACE_CRASH_AT=<name>[:<n>] in the environment,
// the n-th passage counting from 1. Nothing in release builds. Any thread.
#pragma once

namespace millrace {

#ifdef MILLRACE_TEST_HOOKS
void crash_point(const char* name);
#else
inline void crash_point(const char* /*name*/) {}
#endif

}  // namespace millrace
