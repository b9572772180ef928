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

// <name>[:<n>] of an environment variable, and how often the place was passed.
class Wish {
 public:
  explicit Wish(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return;
    name_ = text;
    if (const size_t colon = name_.rfind(':'); colon != std::string::npos) {
      (void)std::from_chars(name_.data() + colon + 1, name_.data() + name_.size(), passage_);
      name_.resize(colon);
    }
  }

  bool comes_true_at(const char* name) { return name_ == name && passages_.fetch_add(1) + 1 == passage_; }

 private:
  std::string name_;
  long passage_ = 1;
  std::atomic<long> passages_{0};
};

}  // namespace

void crash_point(const char* name) {
  static Wish crash{"MILLRACE_CRASH_AT"};
  static Wish freeze{"MILLRACE_FREEZE_AT"};
  if (crash.comes_true_at(name)) ::kill(::getpid(), SIGKILL);
  if (freeze.comes_true_at(name)) ::raise(SIGSTOP);  // to this thread, which must not go on before all stop
}

bool disk_is_full() {
  static const char* const sign = std::getenv("MILLRACE_FULL_WHILE");
  return sign != nullptr && ::access(sign, F_OK) == 0;
}

namespace {

std::string& bug_name() {
  static std::string bug = [] {
    const char* text = std::getenv("MILLRACE_BUG");
    return std::string(text != nullptr ? text : "");
  }();
  return bug;
}

}  // namespace

bool seeded_bug(const char* name) { return bug_name() == name; }

void seed_bug(const char* name) { bug_name() = name; }

}  // namespace millrace

#endif
