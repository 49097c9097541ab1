/* The only door to CPython's internal structures. layout.c is compiled as C against the internal
 * headers of the interpreter that the probe is built for; everything else in the probe is C++ and
 * sees these functions and plain addresses only. */
#ifndef GILSCOPE_LAYOUT_H
#define GILSCOPE_LAYOUT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gilscope_gil {
  pthread_mutex_t* mutex;
  pthread_cond_t* cond;
  pthread_mutex_t* switch_mutex;
  pthread_cond_t* switch_cond;
  void* state; /* struct _gil_runtime_state */
  int64_t interpreter;
};

/* The GIL of the calling thread's interpreter. A thread state must be attached. */
void gilscope_find_gil(struct gilscope_gil* gil);

/* 1 when the thread state that holds, or last held, this GIL has been asked to give it up. Only
 * under the GIL's mutex. */
int gilscope_drop_requested(void* gil_state);

/* 1 in a free-threaded build. */
int gilscope_is_free_threaded(void);
/* 1 when the GIL of the calling thread's interpreter is switched on. */
int gilscope_gil_enabled(void);

/* NULL when the layout that this file was compiled for is that of the running interpreter; else
 * what differs, one static line. */
const char* gilscope_layout_mismatch(void);

/* struct wait_entry of Python/parking_lot.c, relative to the semaphore in it. */
enum {
  GILSCOPE_PARK_ADDRESS = -1, /* in words: what is waited on */
  GILSCOPE_PARK_ARGUMENT = -2
};
/* Offset of `handed_off` in struct mutex_entry of Python/lock.c. */
enum { GILSCOPE_HANDED_OFF = 8 };

/* 1 when this thread is in the slow path of a critical section, so that the lock it waits for is an
 * object's. Works while the thread is detached. */
int gilscope_in_critical_section(void);

/* What else an address can be. */
int gilscope_is_own_thread_state(uintptr_t address);
int gilscope_is_stop_event(uintptr_t address);

/* The object whose lock stands at `address`; free-threaded builds only, else 0. */
uintptr_t gilscope_object_of_lock(uintptr_t address);
/* The object that begins right before a lock at `address`, as lock objects do. */
uintptr_t gilscope_object_before(uintptr_t address);
uintptr_t gilscope_type_of(uintptr_t object);
const char* gilscope_type_name(uintptr_t type);

#ifdef __cplusplus
}
#endif
#endif
