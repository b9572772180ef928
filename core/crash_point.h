// Named places where a test build dies at once, as kill -9 would: MILLRACE_CRASH_AT=<name>[:<n>] in the environment,
// the n-th passage counting from 1; MILLRACE_FREEZE_AT, of the same form, stops there until SIGCONT.
// While the file exists that MILLRACE_FULL_WHILE names, the disk is full. MILLRACE_BUG=<name> switches a seeded bug on,
// which a checker has to notice.
// Nothing of it in release builds. Any thread.
#pragma once

namespace millrace {

#ifdef MILLRACE_TEST_HOOKS
void crash_point(const char* name);
bool disk_is_full();
bool seeded_bug(const char* name);
/// The same from inside a test; "" = none. No other thread may run.
void seed_bug(const char* name);
#else
inline void crash_point(const char* /*name*/) {}
inline bool disk_is_full() { return false; }
inline bool seeded_bug(const char* /*name*/) { return false; }
#endif

}  // namespace millrace
