// Preloaded: sends the process SIGTERM just before select() blocks, when the interpreter has looked
// for signals for the last time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <sys/select.h>

typedef int (*select_function)(int, fd_set*, fd_set*, fd_set*, struct timeval*);

int select(int count, fd_set* reads, fd_set* writes, fd_set* errors, struct timeval* timeout) {
  static int sent;
  if (!timeout && !sent++) {
    raise(SIGTERM);
  }
  return ((select_function)dlsym(RTLD_NEXT, "select"))(count, reads, writes, errors, timeout);
}
