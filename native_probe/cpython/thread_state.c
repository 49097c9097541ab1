/* See thread_state.h and own_state.h. */
#define Py_BUILD_CORE 1
#include "cpython/thread_state.h"

#include <Python.h>
#include <pthread.h>

#include "cpython/own_state.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_lock.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"
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

uint32_t gilscope_tid_of_state(const void* state) {
  return (uint32_t)((const PyThreadState*)state)->native_thread_id;
}

static __thread const void* readable __attribute__((tls_model("initial-exec"))) = NULL;

void gilscope_set_readable_state(const void* state) { readable = state; }

PyThreadState* gilscope_own_thread_state(void) {
  PyThreadState* current = PyThreadState_GetUnchecked();
  if (current != NULL || readable == NULL) return current;
  PyThreadState* own = (PyThreadState*)readable;
  /* Attached all the same, in another thread, by a way that is not hooked. */
  return __atomic_load_n(&own->state, __ATOMIC_RELAXED) != _Py_THREAD_ATTACHED ? own : NULL;
}

const void* gilscope_attached_state(void) { return PyThreadState_GetUnchecked(); }

const void* gilscope_bound_state(void) {
  return Py_IsFinalizing() ? NULL : PyGILState_GetThisThreadState();
}

/* The lock of the interpreter's lists. A hook must not wait for it: its thread may have it. */
static int lock_lists(void) {
  enum { kTries = 64 };
  for (int i = 0; i < kTries; ++i) {
    uint8_t bits = _Py_UNLOCKED;
    if (_Py_atomic_compare_exchange_uint8(&_PyRuntime.interpreters.mutex._bits, &bits,
                                          _Py_LOCKED)) {
      return 1;
    }
  }
  return 0;
}

int gilscope_is_listed(const void* state) {
  int listed = 0;
  if (!lock_lists()) return 0;
  const PyInterpreterState* interp = _PyRuntime.interpreters.head;
  for (; interp != NULL && !listed; interp = interp->next) {
    const PyThreadState* other = interp->threads.head;
    for (; other != NULL && other != state; other = other->next) {
    }
    listed = other != NULL && other->thread_id == (unsigned long)pthread_self() &&
             !other->_status.cleared && !other->_status.finalizing &&
             __atomic_load_n(&other->state, __ATOMIC_RELAXED) != _Py_THREAD_ATTACHED;
  }
  PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
  return listed;
}

int gilscope_is_of_other_interpreter(const void* callable) {
  enum { kMaxNesting = 8 };
  PyObject* object = (PyObject*)callable;
  for (int i = 0; i < kMaxNesting && PyMethod_Check(object); ++i) {
    object = PyMethod_GET_FUNCTION(object);
  }
  if (!PyFunction_Check(object)) return 0;
  /* Each interpreter has a dict of builtins, in which its functions look. */
  const PyObject* builtins = ((PyFunctionObject*)object)->func_builtins;
  const PyInterpreterState* own = PyThreadState_GetUnchecked()->interp;
  if (builtins == own->builtins || !lock_lists()) return 0;
  const PyInterpreterState* other = _PyRuntime.interpreters.head;
  while (other != NULL && (other == own || other->builtins != builtins)) other = other->next;
  PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
  return other != NULL;
}
