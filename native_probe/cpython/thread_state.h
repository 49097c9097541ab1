/* Facts about a thread state for the callback hooks. The same door as layout.h: internal headers
 * in the C file, plain addresses here. */
#ifndef GILSCOPE_THREAD_STATE_H
#define GILSCOPE_THREAD_STATE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How often the PyGILState functions, and bindings that follow them, have taken this thread state
 * into use. Only of the calling thread's own state. */
int gilscope_state_counter(const void* state);

/* Its innermost Python frame, NULL when no Python code is under way in it. Only of the calling
 * thread's own state; not to be dereferenced. */
const void* gilscope_python_frame(const void* state);

/* The kernel's number of the thread that it was made for, 0 none yet. Of a thread state that lives.
 */
uint32_t gilscope_tid_of_state(const void* state);

/* The thread state that the calling thread has attached, NULL if none. Callable in a signal's
 * handler. */
const void* gilscope_attached_state(void);

/* The thread state that the interpreter last attached in the calling thread and that was not
 * deleted by this thread. By others it may have been: no more than a number. NULL: there is none,
 * or the interpreter ends. */
const void* gilscope_bound_state(void);

/* Whether this is the address of a thread state that lives, is the calling thread's, and is
 * attached nowhere else. "No" where that cannot be found out at once. */
int gilscope_is_listed(const void* state);

/* Whether a callable is a function, or a method of one, that was made in another interpreter than
 * the attached thread state's and one that lives. "No" where that cannot be found out at once. */
int gilscope_is_of_other_interpreter(const void* callable);

/* What gilscope_own_thread_state() answers while the calling thread has none attached. */
void gilscope_set_readable_state(const void* state);

#ifdef __cplusplus
}
#endif
#endif
