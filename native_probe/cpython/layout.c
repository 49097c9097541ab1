/* Facts about CPython 3.13, 3.14 and 3.15, taken from the internal headers at compile time and held
 * against the running interpreter's own description of itself (_Py_DebugOffsets) at run time. */
#define _GNU_SOURCE
#define Py_BUILD_CORE 1
#include "cpython/layout.h"

#include <Python.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cpython/frames.h"
#include "cpython/own_state.h"
#include "internal/pycore_ceval.h"
#include "internal/pycore_critical_section.h"
#include "internal/pycore_gil.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

static struct _gil_runtime_state* current_gil(void) {
  return PyThreadState_Get()->interp->ceval.gil;
}

void gilscope_find_gil_layout(struct gilscope_gil_layout* layout) {
  layout->mutex = offsetof(struct _gil_runtime_state, mutex);
  layout->cond = offsetof(struct _gil_runtime_state, cond);
  layout->switch_cond = offsetof(struct _gil_runtime_state, switch_cond);
  layout->locked = offsetof(struct _gil_runtime_state, locked);
  layout->last_holder = offsetof(struct _gil_runtime_state, last_holder);
#ifdef Py_GIL_DISABLED
  layout->enabled = offsetof(struct _gil_runtime_state, enabled);
#else
  layout->enabled = GILSCOPE_NO_MEMBER;
#endif
  layout->eval_breaker = offsetof(PyThreadState, eval_breaker);
  layout->drop_request = _PY_GIL_DROP_REQUEST_BIT;
}

/* Takes the lock of the list of interpreters. Threads wait for it with the GIL, so whoever holds it
 * must not want the GIL. After PyMutex_Lock() has waited, it holds the mutex and wants the GIL that
 * it gave up. So the GIL is given up before, and taken again after the unlock. Returns the state to
 * attach then, or NULL. The function that waits with the GIL is not exported before 3.14. */
static PyThreadState* lock_interpreters(void) {
  PyMutex* const mutex = &_PyRuntime.interpreters.mutex;
  uint8_t unlocked = 0;
  if (__atomic_compare_exchange_n(&mutex->_bits, &unlocked, 1, 0, __ATOMIC_SEQ_CST,
                                  __ATOMIC_SEQ_CST)) {
    return NULL;
  }
  PyThreadState* const state = PyEval_SaveThread();
  PyMutex_Lock(mutex);
  return state;
}

static void unlock_interpreters(PyThreadState* state) {
  PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
  if (state != NULL) PyEval_RestoreThread(state);
}

static struct gilscope_found_gil found(const struct _gil_runtime_state* gil) {
  struct gilscope_found_gil one = {(uintptr_t)gil, gilscope_interpreter_of_gil((uintptr_t)gil), 0};
#ifdef Py_GIL_DISABLED
  one.enabled = gil->enabled;
#endif
  return one;
}

size_t gilscope_find_gils(struct gilscope_found_gil* gils, size_t capacity) {
  size_t n = 0;
  if (capacity == 0) return 0;
  gils[n++] = found(PyInterpreterState_Main()->ceval.gil);
  /* Interpreters with a GIL of their own come and go at any time, unless nobody can change the
   * list. */
  PyThreadState* const state = lock_interpreters();
  for (PyInterpreterState* interp = _PyRuntime.interpreters.head; interp != NULL && n < capacity;
       interp = interp->next) {
    const struct _gil_runtime_state* gil = interp->ceval.gil;
    if (gil == &interp->_gil && (uintptr_t)gil != gils[0].state) gils[n++] = found(gil);
  }
  unlock_interpreters(state);
  return n;
}

uintptr_t gilscope_own_gil(void) { return (uintptr_t)current_gil(); }

int64_t gilscope_interpreter_of_gil(uintptr_t gil) {
  return ((PyInterpreterState*)(gil - offsetof(PyInterpreterState, _gil)))->id;
}

int gilscope_is_free_threaded(void) {
#ifdef Py_GIL_DISABLED
  return 1;
#else
  return 0;
#endif
}

int gilscope_gil_enabled(void) {
#ifdef Py_GIL_DISABLED
  return current_gil()->enabled != 0;
#else
  return 1;
#endif
}

int gilscope_gil_enabled_for_good(void) {
#ifdef Py_GIL_DISABLED
  return current_gil()->enabled == INT_MAX; /* less: that many imports have it on */
#else
  return 1;
#endif
}

const char* gilscope_layout_mismatch(void) {
  static char message[160];
  const _Py_DebugOffsets* offsets = &_PyRuntime.debug_offsets;
  const char* field = NULL;
  if (memcmp(offsets->cookie, _Py_Debug_Cookie, sizeof offsets->cookie) != 0) {
    return "the interpreter does not describe its layout (no debug offsets)";
  }
  if ((offsets->version >> 16) != (PY_VERSION_HEX >> 16)) {
    snprintf(message, sizeof message, "the probe was built for Python %d.%d and runs in %d.%d",
             PY_MAJOR_VERSION, PY_MINOR_VERSION, (int)(offsets->version >> 24),
             (int)(offsets->version >> 16 & 0xff));
    return message;
  }
  if ((int)offsets->free_threaded != gilscope_is_free_threaded()) {
    return "the probe was built for the other build (free-threaded against stock)";
  }
#define CHECK(group, name, expected) \
  if (field == NULL && offsets->group.name != (uint64_t)(expected)) field = #group "." #name
  CHECK(interpreter_state, size, sizeof(PyInterpreterState));
  CHECK(interpreter_state, ceval_gil, offsetof(PyInterpreterState, ceval.gil));
  CHECK(interpreter_state, gil_runtime_state, offsetof(PyInterpreterState, _gil));
  CHECK(interpreter_state, gil_runtime_state_locked, offsetof(PyInterpreterState, _gil.locked));
  CHECK(interpreter_state, gil_runtime_state_holder,
        offsetof(PyInterpreterState, _gil.last_holder));
  CHECK(thread_state, size, sizeof(PyThreadState));
  CHECK(thread_state, interp, offsetof(PyThreadState, interp));
  CHECK(pyobject, ob_type, offsetof(PyObject, ob_type));
  CHECK(type_object, tp_name, offsetof(PyTypeObject, tp_name));
#undef CHECK
  if (field == NULL) field = gilscope_frames_mismatch();
  if (field == NULL) return NULL;
  snprintf(message, sizeof message,
           "the interpreter's layout differs from the headers that the probe was built with (%s)",
           field);
  return message;
}

int gilscope_in_critical_section(void) {
#ifdef Py_GIL_DISABLED
  PyThreadState* tstate = gilscope_own_thread_state();
  if (tstate == NULL || tstate->critical_section == 0) return 0;
  const PyCriticalSection* top =
      (const PyCriticalSection*)(tstate->critical_section & ~(uintptr_t)_Py_CRITICAL_SECTION_MASK);
  /* Set only after the lock has been taken. */
  return top->_cs_mutex == NULL;
#else
  return 0;
#endif
}

int gilscope_is_own_thread_state(uintptr_t address) {
  PyThreadState* tstate = gilscope_own_thread_state();
  return tstate != NULL && address == (uintptr_t)&tstate->state;
}

int gilscope_is_stop_event(uintptr_t address) {
  PyThreadState* tstate = gilscope_own_thread_state();
  return address == (uintptr_t)&_PyRuntime.stoptheworld.stop_event ||
         (tstate != NULL && address == (uintptr_t)&tstate->interp->stoptheworld.stop_event);
}

/* Copies what begins before a lock that the calling thread waits for. What lies in the lock's own
 * page is there to be read, whatever it is; what lies before that page is copied by the kernel. */
__attribute__((no_sanitize("address", "thread"))) static int copy_before(uintptr_t lock, void* to,
                                                                         uintptr_t from,
                                                                         size_t size) {
  enum { kLeastPage = 4096 };
  if (from % sizeof(uintptr_t) != 0 || size % sizeof(uintptr_t) != 0 ||
      from / kLeastPage != lock / kLeastPage) {
    return gilscope_copy(to, from, size);
  }
  for (size_t i = 0; i < size / sizeof(uintptr_t); ++i) {
    ((uintptr_t*)to)[i] = __atomic_load_n((const uintptr_t*)from + i, __ATOMIC_RELAXED);
  }
  return 1;
}

#ifdef Py_GIL_DISABLED
/* Whether a word, of which nothing is known, is the address of a type: its type is `type`, or one
 * that is derived from it, as its own flag says, and so on up to `type`. */
static int is_type(uintptr_t word) {
  enum { kMaxMetatypes = 4 };
  for (int i = 0; i < kMaxMetatypes; ++i) {
    PyTypeObject type;
    if (word == (uintptr_t)&PyType_Type) return 1;
    if (word % _Alignof(PyTypeObject) != 0 || !gilscope_copy(&type, word, sizeof type)) return 0;
    if ((type.tp_flags & Py_TPFLAGS_READY) == 0) return 0;
    if (i != 0 && (type.tp_flags & Py_TPFLAGS_TYPE_SUBCLASS) == 0) return 0;
    word = (uintptr_t)type.ob_base.ob_base.ob_type;
  }
  return 0;
}
#endif

uintptr_t gilscope_object_of_lock(uintptr_t address) {
#ifdef Py_GIL_DISABLED
  const size_t offset = offsetof(PyObject, ob_mutex);
  if ((address & 15) != (offset & 15)) return 0;
  const uintptr_t object = address - offset;
  /* A critical section can be on a mutex of no object, which stands anywhere:
   * PyCriticalSection_BeginMutex() is public from 3.14 on, and was the interpreter's own before. */
  uintptr_t type;
  const uintptr_t place = object + offsetof(PyObject, ob_type);
  if (!copy_before(address, &type, place, sizeof type)) return 0;
  return is_type(type) ? object : 0;
#else
  (void)address;
  return 0;
#endif
}

/* What an object leaves behind in its memory when it ends has no such number of references: no more
 * than the interpreter counts, and no address. */
static int has_references(const PyObject* object) {
  enum { kMost = 1 << 28 };
#ifdef Py_GIL_DISABLED
  const Py_ssize_t n =
      (Py_ssize_t)object->ob_ref_local + (object->ob_ref_shared >> _Py_REF_SHARED_SHIFT);
#else
  const Py_ssize_t n = object->ob_refcnt;
#endif
  return n > 0 && n < kMost;
}

uintptr_t gilscope_object_before(uintptr_t address, const uintptr_t types[2]) {
  PyObject object;
  const uintptr_t begin = address - sizeof object;
  if (!copy_before(address, &object, begin, sizeof object)) return 0;
  const uintptr_t type = (uintptr_t)object.ob_type;
  if (type == 0 || (type != types[0] && type != types[1])) return 0;
  return has_references(&object) ? begin : 0;
}

uintptr_t gilscope_type_of(uintptr_t object) { return (uintptr_t)((PyObject*)object)->ob_type; }

const char* gilscope_type_name(uintptr_t type) { return ((PyTypeObject*)type)->tp_name; }
