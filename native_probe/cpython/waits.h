/* What a thread that waits can be found to wait for, beyond layout.h: plain C, see there. */
#ifndef GILSCOPE_WAITS_H
#define GILSCOPE_WAITS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The code object of the innermost Python frame of the calling thread, 0 when there is none. Works
 * while the thread is detached: a thread's own frames are changed by nobody else. */
uintptr_t gilscope_innermost_code(void);

/* The mutex of the interpreter's import lock; not those of single modules. */
int gilscope_is_import_lock(uintptr_t address);

/* The interpreter has one read-write mutex. */
int gilscope_is_rw_mutex(uintptr_t address);

/* Whether a signal has come whose handler in Python has not run yet. Any thread may ask. */
int gilscope_signal_waits(void);

#ifdef __cplusplus
}
#endif
#endif
