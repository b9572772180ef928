// Builds with the thread sanitizer only: libtsan of g++ 12 knows the threads, mutexes and conditions of pthreads but
// not those of C11, which librdkafka uses; it crashes in the first allocation of such a thread and sees no order
// between them. These take glibc's place in the executable; the linker is told to keep them (cmake/dependencies.cmake).
// In glibc a mtx_t is a pthread_mutex_t and a cnd_t a pthread_cond_t in all but the name.
#if defined(__SANITIZE_THREAD__)

#include <dlfcn.h>
#include <pthread.h>
#include <threads.h>

#include <cerrno>
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

pthread_mutex_t* as_pthread(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* as_pthread(cnd_t* condition) { return reinterpret_cast<pthread_cond_t*>(condition); }

int as_c11(int error) {
  switch (error) {
    case 0:
      return thrd_success;
    case EBUSY:
      return thrd_busy;
    case ETIMEDOUT:
      return thrd_timedout;
    case ENOMEM:
      return thrd_nomem;
    default:
      return thrd_error;
  }
}

}  // namespace

extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto start = std::make_unique<ThreadStart>(ThreadStart{run, argument});
  const int error = pthread_create(thread, nullptr, run_c11_thread, start.get());
  if (error == 0) (void)start.release();  // the thread owns it now
  return as_c11(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  const int error = pthread_join(thread, &value);
  if (error == 0 && result != nullptr) *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  return as_c11(error);
}

void call_once(once_flag* flag, void (*run)()) { pthread_once(reinterpret_cast<pthread_once_t*>(flag), run); }

// Set up and torn down by glibc, unseen: librdkafka orders these by reference counts that the sanitizer cannot see.
int mtx_init(mtx_t* mutex, int type) {
  static const auto glibc = reinterpret_cast<int (*)(mtx_t*, int)>(dlsym(RTLD_NEXT, "mtx_init"));
  return glibc(mutex, type);
}
void mtx_destroy(mtx_t* mutex) {
  static const auto glibc = reinterpret_cast<void (*)(mtx_t*)>(dlsym(RTLD_NEXT, "mtx_destroy"));
  glibc(mutex);
}
int mtx_lock(mtx_t* mutex) { return as_c11(pthread_mutex_lock(as_pthread(mutex))); }
int mtx_trylock(mtx_t* mutex) { return as_c11(pthread_mutex_trylock(as_pthread(mutex))); }
int mtx_timedlock(mtx_t* mutex, const timespec* until) {
  return as_c11(pthread_mutex_timedlock(as_pthread(mutex), until));
}
int mtx_unlock(mtx_t* mutex) { return as_c11(pthread_mutex_unlock(as_pthread(mutex))); }

int cnd_signal(cnd_t* condition) { return as_c11(pthread_cond_signal(as_pthread(condition))); }
int cnd_broadcast(cnd_t* condition) { return as_c11(pthread_cond_broadcast(as_pthread(condition))); }
int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return as_c11(pthread_cond_wait(as_pthread(condition), as_pthread(mutex)));
}
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return as_c11(pthread_cond_timedwait(as_pthread(condition), as_pthread(mutex), until));
}

}  // extern "C"

#endif
