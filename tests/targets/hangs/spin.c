/* Loops that wait for a flag: by giving the processor up, by short sleeps, or by computing. */
#include <sched.h>
#include <time.h>
#include <unistd.h>

int spin_yield(volatile int *flag) {
  while (!*flag) sched_yield();
  return 0;
}

int spin_nap(volatile int *flag) {
  while (!*flag) usleep(1000);
  return 0;
}

void *call_late(void *(*callback)(void *)) {
  usleep(200000);
  return callback(0);
}

int compute(double seconds) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  double end = now.tv_sec + now.tv_nsec / 1e9 + seconds;
  volatile double x = 0;
  do {
    for (int i = 0; i < 1000000; ++i) x += i;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec + now.tv_nsec / 1e9 < end);
  return 0;
}
