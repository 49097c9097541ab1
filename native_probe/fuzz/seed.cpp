// A small library whose bytes the fuzz targets begin with: functions, calls, unwinding tables.
#include <pthread.h>
#include <stdio.h>

#include <string>

namespace seed {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// With a stack that is realigned, and one whose size is not known beforehand.
__attribute__((noinline)) int aligned(int n) {
  alignas(64) volatile char room[256];
  auto* more = static_cast<volatile char*>(__builtin_alloca(static_cast<std::size_t>(n) + 1));
  room[n % 256] = static_cast<char>(n);
  more[n] = room[0];
  return printf("%d", more[n]);
}

struct Guard {
  Guard() { pthread_mutex_lock(&mutex); }
  ~Guard() { pthread_mutex_unlock(&mutex); }
};

std::string locked(const std::string& text) {
  const Guard guard;
  return text + std::to_string(aligned(static_cast<int>(text.size())));
}

}  // namespace seed

extern "C" int seed_entry(const char* text) { return static_cast<int>(seed::locked(text).size()); }
