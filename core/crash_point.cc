#include "core/crash_point.h"

#ifdef MILLRACE_TEST_HOOKS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>

namespace millrace {

namespace {

struct CrashWish {
  std::string name;
  long passage = 1;
};

const CrashWish& crash_wish() {
  static const CrashWish wish = [] {
    CrashWish read;
    const char* text = std::getenv("MILLRACE_CRASH_AT");
    if (text == nullptr) return read;
    read.name = text;
    if (const size_t colon = read.name.rfind(':'); colon != std::string::npos) {
      (void)std::from_chars(read.name.data() + colon + 1, read.name.data() + read.name.size(), read.passage);
      read.name.resize(colon);
    }
    return read;
  }();
  return wish;
}

}  // namespace

void crash_point(const char* name) {
  static std::atomic<long> passages{0};
  const CrashWish& wish = crash_wish();
  if (wish.name != name || passages.fetch_add(1) + 1 != wish.passage) return;
  ::kill(::getpid(), SIGKILL);
}

bool seeded_bug(const char* name) {
  static const std::string bug = [] {
    const char* text = std::getenv("MILLRACE_BUG");
    return std::string(text != nullptr ? text : "");
  }();
  return bug == name;
}

}  // namespace millrace

#endif
