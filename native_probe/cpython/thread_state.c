/* See thread_state.h. */
#define Py_BUILD_CORE 1
#include "cpython/thread_state.h"

#include <Python.h>

#include "internal/pycore_frame.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe.h"
#endif

int gilscope_state_counter(const void* state) {
  return ((const PyThreadState*)state)->gilstate_counter;
}

const void* gilscope_python_frame(const void* state) {
  const struct _PyInterpreterFrame* frame = ((const PyThreadState*)state)->current_frame;
  /* Later versions begin the chain with a frame of the interpreter's own. */
  if (frame == NULL || (frame->previous == NULL && frame->owner >= 3)) return NULL;
  return frame;
}
