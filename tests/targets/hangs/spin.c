/* Loops that wait for a flag: by giving the processor up, by short sleeps, or by computing. */
#include <sched.h>
#include <sys/mman.h>
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

/* First it works in the kernel for a while, and takes page faults. */
int spin_after_work(volatile int *flag) {
  const time_t end = time(NULL) + 3;
  while (time(NULL) < end) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)page = 1;
    munmap(page, 4096);
  }
  return spin_yield(flag);
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
