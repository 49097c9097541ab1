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

/* Where the members of struct _gil_runtime_state stand, in bytes; and what of a thread state tells
 * that it was asked to give the GIL up. */
struct gilscope_gil_layout {
  size_t mutex;
  size_t cond;
  size_t switch_cond;
  size_t locked;
  size_t last_holder;  /* thread state that holds it or last held it */
  size_t enabled;      /* GILSCOPE_NO_MEMBER in stock builds */
  size_t eval_breaker; /* in the thread state */
  uintptr_t drop_request;
};
#define GILSCOPE_NO_MEMBER ((size_t)-1)
void gilscope_find_gil_layout(struct gilscope_gil_layout* layout);

/* A GIL, as it was while its interpreter could not end. */
struct gilscope_found_gil {
  uintptr_t state;     /* its address; the interpreter may have ended since */
  int64_t interpreter; /* id of the one that it was made for */
  int enabled;         /* free-threaded builds: whether it was switched on, INT_MAX for good */
};
/* The GILs of all interpreters, the main one's first, each once; at most `capacity`. A thread state
 * must be attached. */
size_t gilscope_find_gils(struct gilscope_found_gil* gils, size_t capacity);
/* The GIL of the calling thread's interpreter. A thread state must be attached. */
uintptr_t gilscope_own_gil(void);
/* Id of the interpreter that a GIL was made for, which must not have ended. */
int64_t gilscope_interpreter_of_gil(uintptr_t gil);

/* 1 in a free-threaded build. */
int gilscope_is_free_threaded(void);
/* 1 when the GIL of the calling thread's interpreter is switched on. */
int gilscope_gil_enabled(void);
/* The same, but 0 while an import of an extension module has it on for a moment, in any thread. */
int gilscope_gil_enabled_for_good(void);

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

/* The object whose lock stands at `address`, 0 if what would be its type is none; free-threaded
 * builds only, else 0. Safe for any address. */
uintptr_t gilscope_object_of_lock(uintptr_t address);
/* The object that begins right before a lock at `address`, as lock objects do, if what stands there
 * is one of these two types and in use; else 0. Safe for any address. */
uintptr_t gilscope_object_before(uintptr_t address, const uintptr_t types[2]);
uintptr_t gilscope_type_of(uintptr_t object);
const char* gilscope_type_name(uintptr_t type);

#ifdef __cplusplus
}
#endif
#endif
