/* Finds what the program calls an object, in the thread that is about to wait for it. names.c is
 * compiled as C against the internal headers. Nothing here runs code of the program, takes a
 * reference or a lock, or allocates. */
#ifndef GILSCOPE_NAMES_H
#define GILSCOPE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As format::NameSource. */
enum { GILSCOPE_MODULE_GLOBAL = 1, GILSCOPE_LOCAL_VARIABLE = 2, GILSCOPE_ATTRIBUTE = 3 };

struct gilscope_name {
  uint32_t source;
  uint32_t frame; /* of a local variable: how far out, and its place there */
  uint32_t place;
  size_t length;
  char text[160]; /* UTF-8 */
};

/* The types of threading.Lock and threading.RLock, for locks that are known by their address. */
void gilscope_name_locks(uintptr_t lock_type, uintptr_t rlock_type);

/* `object`: what has the lock, kept alive by this thread's caller; or 0, and `address` is that of a
 * PyThread_type_lock, which a threading.Lock or RLock may own. The best name: a global variable of
 * a module whose code is on this thread's stack, else an attribute of an object that is in a local
 * variable there, else such a variable, else a variable of a module that the innermost code has
 * imported. 0 when there is none. */
int gilscope_find_name(uintptr_t object, uintptr_t address, struct gilscope_name* name);
/* Whether it is what this local variable of this thread holds. */
int gilscope_is_local(uintptr_t object, uintptr_t address, uint32_t frame, uint32_t place);

/* Begins to count, for objects of these two types, how many of them have ended at an address, by
 * way of the types' destructors, and to tell `created` of each new one, by way of their allocators:
 * its address and that of the frame of the hook. A thread state must be attached. */
void gilscope_watch_locks(void (*created)(uintptr_t, const void*));
void gilscope_unwatch_locks(void);
/* How many have ended there since somebody asked first. For an object or for the semaphore that it
 * owns. */
uint32_t gilscope_ends_at(uintptr_t address);

/* "file:line" of where tracemalloc saw a lock object allocated, UTF-8; its length, 0 when it has
 * not. Whether the object lives does not matter; a thread state must be attached. */
size_t gilscope_allocation_of(uintptr_t lock, char* text, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
