#define _GNU_SOURCE
#define Py_BUILD_CORE 1
#include "cpython/waits.h"

#include <Python.h>

#include "cpython/interpreter_frame.h"
#include "cpython/own_state.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

uintptr_t gilscope_innermost_code(void) {
  const _Py_DebugOffsets* offsets = &_PyRuntime.debug_offsets;
  if (offsets->thread_state.current_frame != offsetof(PyThreadState, current_frame) ||
      offsets->interpreter_frame.executable != offsetof(_PyInterpreterFrame, f_executable)) {
    return 0;
  }
  const PyThreadState* tstate = gilscope_own_thread_state();
  const _PyInterpreterFrame* frame = tstate != NULL ? tstate->current_frame : NULL;
  return frame != NULL ? gilscope_code_of_frame(frame) : 0;
}

int gilscope_is_import_lock(uintptr_t address) {
  const PyThreadState* tstate = gilscope_own_thread_state();
  return tstate != NULL && address == (uintptr_t)&tstate->interp->imports.lock.mutex;
}

int gilscope_signal_waits(void) {
  return __atomic_load_n(&_PyRuntime.signals.is_tripped, __ATOMIC_RELAXED);
}

int gilscope_is_rw_mutex(uintptr_t address) {
  return address == (uintptr_t)&_PyRuntime.stoptheworld_mutex;
}
