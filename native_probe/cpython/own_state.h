/* For the C files that look into a thread state. */
#ifndef GILSCOPE_OWN_STATE_H
#define GILSCOPE_OWN_STATE_H

#include <Python.h>

/* The thread state that the calling thread has attached; else the one that it was last seen to
 * attach, if an OwnState (own_state.hpp) is open; else NULL. */
PyThreadState* gilscope_own_thread_state(void);

#endif
