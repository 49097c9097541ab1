/* What the callback hooks must know of a thread state. The same door as layout.h: internal headers
 * in the C file, plain addresses here. */
#ifndef GILSCOPE_THREAD_STATE_H
#define GILSCOPE_THREAD_STATE_H

#ifdef __cplusplus
extern "C" {
#endif

/* How often the PyGILState functions, and bindings that follow them, have taken this thread state
 * into use. Only of the calling thread's own state. */
int gilscope_state_counter(const void* state);

/* Its innermost Python frame, NULL when no Python code is under way in it. Only of the calling
 * thread's own state; not to be dereferenced. */
const void* gilscope_python_frame(const void* state);

#ifdef __cplusplus
}
#endif
#endif
