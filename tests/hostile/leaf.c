/* A library whose constructor takes its time and loads another; compiled many times over. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

__attribute__((constructor)) static void load_another(void) {
  usleep(1000);
  dlopen(LEAF_OTHER, RTLD_NOW);
}

/* Looked for by the probe in what may enter Python. */
int PyGILState_Check(void) __attribute__((weak));
int leaf_checks(void) { return PyGILState_Check != 0 ? PyGILState_Check() : 0; }

/* Optimised, so that the last call is a jump and nothing of this library is on the stack. */
int wait_by_jump(pthread_mutex_t* mutex, atomic_int* waits) {
  atomic_store(waits, 1);
  return pthread_mutex_lock(mutex);
}
