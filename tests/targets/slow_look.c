/* Preloaded: threads other than the first one are slow to go through what is loaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef int visitor(struct dl_phdr_info*, size_t, void*);

int dl_iterate_phdr(visitor* visit, void* data) {
  static int (*next)(visitor*, void*);
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "dl_iterate_phdr");
  if (syscall(SYS_gettid) != getpid()) nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
  return next(visit, data);
}
