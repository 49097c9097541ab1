/* Where the interpreter's locks stand, for each version by its own headers: all members of the
 * types PyMutex, _PyRecursiveMutex, _PyRWMutex, _PyOnceFlag and PyThread_type_lock. */
#define Py_BUILD_CORE 1
#include "cpython/interpreter_locks.h"

#include <Python.h>
#include <stdio.h>
#include <string.h>

#include "cpython/own_state.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

struct Member {
  size_t offset;
  size_t size;  /* of an array's element; else 0 */
  size_t count; /* of an array's elements; 0: the member points to the lock */
  const char* name;
};
#define LOCK(owner, member) {offsetof(owner, member), 0, 1, #member}
#define POINTER(owner, member) {offsetof(owner, member), 0, 0, #member}

#define IN(member) LOCK(PyInterpreterState, member)
static const struct Member of_interpreter[] = {
    IN(ceval.pending.mutex),
    IN(imports.lock),
    IN(stoptheworld.mutex),
    IN(qsbr.mutex),
    IN(code_state.mutex),
    IN(mem_free_queue.mutex),
    IN(ast.once),
    IN(types.mutex),
#ifdef Py_GIL_DISABLED
    IN(codecs.search_path_mutex),
    IN(func_state.mutex),
    IN(exc_state.memerrors_lock),
    {offsetof(PyInterpreterState, brc.table[0].mutex), sizeof(struct _brc_bucket),
     _Py_BRC_NUM_BUCKETS, "brc.table[].mutex"},
    {offsetof(PyInterpreterState, weakref_locks), sizeof(PyMutex), NUM_WEAKREF_LIST_LOCKS,
     "weakref_locks[]"},
#endif
#if PY_VERSION_HEX < 0x030E0000
    IN(xi.registry.mutex),
    IN(warnings.mutex),
    POINTER(PyInterpreterState, id_mutex),
#else
    IN(xi.data_lookup.registry.mutex),
    IN(warnings.lock),
    IN(dict_state.watcher_mutex),
    IN(dict_state.watcher_setup_once),
    IN(sys_profile_once_flag),
    IN(sys_trace_once_flag),
#ifdef Py_GIL_DISABLED
    IN(atexit.ll_callbacks_lock),
    IN(unique_ids.mutex),
    IN(tlbc_indices.mutex),
    IN(asyncio_tasks_lock),
    IN(cached_objects.interned_mutex),
#endif
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030F0000
    IN(imports.lazy_mutex),
    IN(cached_objects.descriptor_mutex),
#elif defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    IN(gc.mutex),
#endif
};

#define SHARED(member) LOCK(_PyRuntimeState, member)
static const struct Member of_runtime[] = {
    SHARED(interpreters.mutex),
    SHARED(allocators.mutex),
    SHARED(atexit.mutex),
    SHARED(imports.extensions.mutex),
    SHARED(ceval.pending_mainthread.mutex),
    SHARED(stoptheworld_mutex),
    SHARED(stoptheworld.mutex),
    SHARED(audit_hooks.mutex),
    SHARED(unicode_state.ids.mutex),
    POINTER(_PyRuntimeState, faulthandler.thread.cancel_event),
    POINTER(_PyRuntimeState, faulthandler.thread.running),
#if PY_VERSION_HEX < 0x030E0000
    SHARED(xi.registry.mutex),
    SHARED(ceval.sys_trace_profile_mutex),
    POINTER(_PyRuntimeState, tracemalloc.tables_lock),
#else
    SHARED(xi.data_lookup.registry.mutex),
    SHARED(tracemalloc.tables_lock),
#endif
};

static const char* member_at(uintptr_t base, uintptr_t address, const struct Member* members,
                             size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const struct Member* one = &members[i];
    const uintptr_t begin = base + one->offset;
    if (one->count == 0) {
      uintptr_t pointed;
      memcpy(&pointed, (const void*)begin, sizeof pointed);
      if (pointed == address) return one->name;
    } else if (one->size == 0) {
      if (begin == address) return one->name;
    } else if (address >= begin && (address - begin) / one->size < one->count &&
               (address - begin) % one->size == 0) {
      return one->name;
    }
  }
  return NULL;
}

static const char* member_of(const PyInterpreterState* interp, uintptr_t address) {
  if (interp == NULL) return NULL;
  return member_at((uintptr_t)interp, address, of_interpreter, Py_ARRAY_LENGTH(of_interpreter));
}

static size_t length_of(int printed, size_t capacity) {
  return printed > 0 && (size_t)printed < capacity ? (size_t)printed : 0;
}

size_t gilscope_interpreter_lock(uintptr_t address, char* text, size_t capacity) {
  const PyInterpreterState* main = PyInterpreterState_Main();
  const char* name = member_of(main, address);
  if (name != NULL) return length_of(snprintf(text, capacity, "interp->%s", name), capacity);
  name = member_at((uintptr_t)&_PyRuntime, address, of_runtime, Py_ARRAY_LENGTH(of_runtime));
  if (name != NULL) return length_of(snprintf(text, capacity, "_PyRuntime.%s", name), capacity);
  const PyThreadState* tstate = gilscope_own_thread_state();
  const PyInterpreterState* own = tstate != NULL ? tstate->interp : NULL;
  name = own != main ? member_of(own, address) : NULL;
  if (name == NULL) return 0;
  return length_of(
      snprintf(text, capacity, "interp->%s of interpreter %lld", name, (long long)own->id),
      capacity);
}
