/* The interpreter's own locks by what they are: the members of _PyRuntime and of the interpreter
 * states. interpreter_locks.c is compiled as C against the internal headers. */
#ifndef GILSCOPE_INTERPRETER_LOCKS_H
#define GILSCOPE_INTERPRETER_LOCKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes what CPython's source calls the lock at this address, such as "interp->types.mutex", with
 * " of interpreter N" if it is not the main one's; returns its length, 0 when it is none of these.
 * Looks at the calling thread's interpreter, at the main one and at what all share; takes no lock.
 */
size_t gilscope_interpreter_lock(uintptr_t address, char* text, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
