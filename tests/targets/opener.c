/* Loads libraries for others, as the plug-in loader of a program does, and forks. Knows nothing of
 * Python. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

/* Through this library's slot, which may be hooked. */
__attribute__((visibility("default"))) void* opener_open(const char* path) {
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* By a pointer, so that no slot is in the way. */
__attribute__((visibility("default"))) void* opener_open_unseen(const char* path) {
  void* (*open)(const char*, int) = (void* (*)(const char*, int))dlsym(RTLD_DEFAULT, "dlopen");
  return open(path, RTLD_NOW | RTLD_LOCAL);
}

__attribute__((visibility("default"))) int opener_close(void* handle) { return dlclose(handle); }

/* Forks a child that ends at once; its status as waitpid() tells it. */
__attribute__((visibility("default"))) int opener_fork(void) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}
