// Builds with the thread sanitizer only: libtsan of g++ 12 knows pthread_create but not C11's thrd_create, which
// librdkafka uses, and crashes in the first allocation of such a thread. These take glibc's place in the executable;
// the linker is told to keep them (CMakeLists.txt).
#if defined(__SANITIZE_THREAD__)

#include <pthread.h>
#include <threads.h>

#include <cstdint>
#include <memory>

namespace {

struct ThreadStart {
  thrd_start_t run;
  void* argument;
};

void* run_c11_thread(void* raw) {
  const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(raw));
  return reinterpret_cast<void*>(static_cast<intptr_t>(start->run(start->argument)));
}

}  // namespace

extern "C" int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto start = std::make_unique<ThreadStart>(ThreadStart{run, argument});
  if (pthread_create(thread, nullptr, run_c11_thread, start.get()) != 0) return thrd_error;
  (void)start.release();  // the thread owns it now
  return thrd_success;
}

extern "C" int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  if (pthread_join(thread, &value) != 0) return thrd_error;
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  return thrd_success;
}

#endif
