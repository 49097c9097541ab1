#define _GNU_SOURCE
#define Py_BUILD_CORE 1
#include "cpython/frames.h"

#include <Python.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cpython/interpreter_frame.h"
#include "cpython/own_state.h"
#include "internal/pycore_code.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

const char* gilscope_frames_mismatch(void) {
  const _Py_DebugOffsets* offsets = &_PyRuntime.debug_offsets;
#define CHECK(group, name, expected) \
  if (offsets->group.name != (uint64_t)(expected)) return #group "." #name
  CHECK(thread_state, current_frame, offsetof(PyThreadState, current_frame));
  CHECK(thread_state, thread_id, offsetof(PyThreadState, thread_id));
  CHECK(interpreter_frame, previous, offsetof(_PyInterpreterFrame, previous));
  CHECK(interpreter_frame, executable, offsetof(_PyInterpreterFrame, f_executable));
  CHECK(interpreter_frame, instr_ptr, offsetof(_PyInterpreterFrame, instr_ptr));
  CHECK(interpreter_frame, localsplus, offsetof(_PyInterpreterFrame, localsplus));
  CHECK(interpreter_frame, owner, offsetof(_PyInterpreterFrame, owner));
  CHECK(code_object, filename, offsetof(PyCodeObject, co_filename));
  CHECK(code_object, qualname, offsetof(PyCodeObject, co_qualname));
  CHECK(code_object, linetable, offsetof(PyCodeObject, co_linetable));
  CHECK(code_object, firstlineno, offsetof(PyCodeObject, co_firstlineno));
  CHECK(code_object, localsplusnames, offsetof(PyCodeObject, co_localsplusnames));
  CHECK(code_object, localspluskinds, offsetof(PyCodeObject, co_localspluskinds));
  CHECK(code_object, co_code_adaptive, offsetof(PyCodeObject, co_code_adaptive));
#undef CHECK
  return NULL;
}

/* Copying by way of the kernel, since that fails where a load would kill the process. */
int gilscope_copy(void* to, uintptr_t from, size_t size) {
  const struct iovec local = {to, size};
  const struct iovec remote = {(void*)from, size};
  const int error = errno;
  const ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  errno = error;
  return copied == (ssize_t)size;
}

/* --- Which frame ------------------------------------------------------------------------------
 */

const void* gilscope_calling_frame(const void* frame) {
  return gilscope_frame_with_code(((const _PyInterpreterFrame*)frame)->previous);
}

/* --- Code objects that come and go -------------------------------------------------------------
 */

/* Of all code objects whose address falls on one place: bit 0, one of them was defined; above it,
 * how often one of them was destroyed after that. */
enum { kPlaces = 4096 };
static _Atomic uint32_t generations[kPlaces];
static int watcher = -1;
static _Atomic int64_t watched_interpreter = -1;

static _Atomic uint32_t* generation_of(uintptr_t code) {
  return &generations[((uint64_t)code * 0x9E3779B97F4A7C15u) >> 52];
}

static int code_event(PyCodeEvent event, PyCodeObject* code) {
  if (event != PY_CODE_EVENT_DESTROY) return 0;
  _Atomic uint32_t* generation = generation_of((uintptr_t)code);
  uint32_t seen = atomic_load_explicit(generation, memory_order_relaxed);
  while ((seen & 1) != 0 &&
         !atomic_compare_exchange_weak_explicit(generation, &seen, seen + 1, memory_order_relaxed,
                                                memory_order_relaxed)) {
  }
  return 0;
}

/* In a free-threaded build other threads call the watchers while one is added or taken away,
 * without any order between the two: adding is harmless where stores are seen in the order in which
 * they were made, taking away never is. So there it stays, and costs a look at it a code object. */
#if defined(Py_GIL_DISABLED) && !defined(__x86_64__)
#define CAN_WATCH 0
#else
#define CAN_WATCH 1
#endif

int gilscope_watch_codes(void) {
  if (!CAN_WATCH) return 0;
  if (watcher < 0) {
    watcher = PyCode_AddWatcher(code_event);
    if (watcher < 0) {
      PyErr_Clear(); /* all of them are taken */
      return 0;
    }
    /* What was destroyed in between is not known: all addresses are new. */
    for (int i = 0; i < kPlaces; ++i) atomic_fetch_add(&generations[i], 2);
    watched_interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
  }
  return watched_interpreter == PyInterpreterState_GetID(PyInterpreterState_Get());
}

void gilscope_unwatch_codes(void) {
#ifndef Py_GIL_DISABLED
  if (watcher < 0 || watched_interpreter != PyInterpreterState_GetID(PyInterpreterState_Get())) {
    return;
  }
  watched_interpreter = -1;
  if (PyCode_ClearWatcher(watcher) < 0) PyErr_Clear();
  watcher = -1;
#endif
}

const void* gilscope_innermost_frame(int* watched) {
  const PyThreadState* tstate = gilscope_own_thread_state();
  if (tstate == NULL) return NULL;
  *watched = atomic_load_explicit(&watched_interpreter, memory_order_relaxed) == tstate->interp->id;
  return gilscope_frame_with_code(tstate->current_frame);
}

static uint64_t fold(uint64_t a, uint64_t b) {
  const __uint128_t product = (__uint128_t)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xE7037ED1A0B428DBu);
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_code(const _PyInterpreterFrame* frame) {
  const uintptr_t code = gilscope_code_of_frame(frame);
  const uint32_t generation = atomic_load_explicit(generation_of(code), memory_order_relaxed) >> 1;
  return (uint64_t)code ^ (uint64_t)generation << 48;
}

uint64_t gilscope_hash_frames(const void* first, size_t capacity, uint64_t seed) {
  uint64_t hash = seed;
  uint64_t count = 0;
  const _PyInterpreterFrame* frame = first;
  for (; frame != NULL && count < capacity;
       frame = gilscope_frame_with_code(frame->previous), ++count) {
    hash = fold(hash ^ hash_code(frame), hash + (uint64_t)(uintptr_t)frame->instr_ptr);
  }
  return fold(hash, count);
}

uint64_t gilscope_hash_code(const void* frame) {
  atomic_fetch_or_explicit(generation_of(gilscope_code_of_frame(frame)), 1, memory_order_relaxed);
  return hash_code(frame);
}

/* --- Where a frame is --------------------------------------------------------------------------
 */

/* The first instruction of the code that the frame runs; NULL when it cannot be told. */
static const _Py_CODEUNIT* instructions_of(const _PyInterpreterFrame* frame, PyCodeObject* code) {
#if PY_VERSION_HEX >= 0x030E0000 && defined(Py_GIL_DISABLED)
  if (frame->tlbc_index != 0) {
    /* The array may be replaced by a larger one, and freed, while this thread is detached. If it is
     * still the same afterwards it was there in between. */
    uintptr_t array = (uintptr_t)__atomic_load_n(&code->co_tlbc, __ATOMIC_ACQUIRE);
    uintptr_t entry =
        array + offsetof(_PyCodeArray, entries) + (uintptr_t)frame->tlbc_index * sizeof(char*);
    char* first = NULL;
    if (array == 0 || !gilscope_copy(&first, entry, sizeof first)) return NULL;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return array == (uintptr_t)__atomic_load_n(&code->co_tlbc, __ATOMIC_RELAXED)
               ? (const _Py_CODEUNIT*)first
               : NULL;
  }
#else
  (void)frame;
#endif
  return (const _Py_CODEUNIT*)code->co_code_adaptive;
}

long gilscope_frame_unit(const void* of) {
  const _PyInterpreterFrame* frame = of;
  const _Py_CODEUNIT* first = instructions_of(frame, (PyCodeObject*)gilscope_code_of_frame(frame));
  return first != NULL ? (long)(frame->instr_ptr - first) : -1;
}

/* The format of co_linetable is described in Objects/locations.md (InternalDocs from 3.14 on). */
uint32_t gilscope_line_at(const unsigned char* at, const unsigned char* end, int first_line,
                          long unit) {
  long line = first_line;
  long covered = 0;
  while (at < end) {
    const unsigned char head = *at++;
    const int form = head >> 3 & 15;
    if (form == 13 || form == 14) {
      unsigned long value = 0;
      for (unsigned shift = 0; at < end && shift < 32; shift += 6) {
        value |= (unsigned long)(*at & 63) << shift;
        if ((*at++ & 64) == 0) break;
      }
      line += (value & 1) != 0 ? -(long)(value >> 1) : (long)(value >> 1);
    } else if (form >= 10 && form <= 12) {
      line += form - 10;
    }
    while (at < end && (*at & 128) == 0) ++at;
    covered += (head & 7) + 1;
    if (unit >= covered) continue;
    if (form == 15) return 0; /* an instruction that no line stands for */
    /* A module begins on line 0, before its first one. */
    return (uint32_t)(line > 0 ? line : first_line);
  }
  return 0;
}

static uint32_t line_at(PyCodeObject* code, Py_ssize_t unit) {
  const PyBytesObject* table = (const PyBytesObject*)code->co_linetable;
  const unsigned char* at = (const unsigned char*)table->ob_sval;
  return gilscope_line_at(at, at + Py_SIZE(table), code->co_firstlineno, unit);
}

int gilscope_place_of(const void* of, struct gilscope_place* place) {
  const _PyInterpreterFrame* frame = of;
  PyCodeObject* code = (PyCodeObject*)gilscope_code_of_frame(frame);
  if (code == NULL || !PyCode_Check(code)) return 0;
  const _Py_CODEUNIT* first = instructions_of(frame, code);
  const Py_ssize_t unit = first != NULL ? frame->instr_ptr - first : -1;
  const int known = unit >= 0 && unit < Py_SIZE(code);
  /* Before its first RESUME a frame is still being put together. */
  if (known && frame->owner != FRAME_OWNED_BY_GENERATOR && unit < code->_co_firsttraceable) {
    return 0;
  }
  place->name = code->co_qualname;
  place->file = code->co_filename;
  place->first_line = code->co_firstlineno > 0 ? (uint32_t)code->co_firstlineno : 0;
  place->line = known ? line_at(code, unit) : 0;
  place->module = NULL;
#if PY_VERSION_HEX >= 0x030E0000
  const PyObject* function = (const PyObject*)(frame->f_funcobj.bits & ~(uintptr_t)3);
#else
  const PyObject* function = frame->f_funcobj;
#endif
  if (function != NULL && PyFunction_Check(function)) {
    place->module = ((const PyFunctionObject*)function)->func_module;
  }
  return 1;
}

/* --- Strings -----------------------------------------------------------------------------------
 */

static size_t encode(Py_UCS4 c, char* to) {
  if (c >= 0xD800 && c < 0xE000) c = 0xFFFD; /* half of a pair has no UTF-8 */
  if (c < 0x80) {
    to[0] = (char)c;
    return 1;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  for (int i = more; i > 0; --i, c >>= 6) to[i] = (char)(0x80 | (c & 63));
  to[0] = (char)((0xF0 << (3 - more) & 0xF0) | c);
  return (size_t)more + 1;
}

const char* gilscope_text(const void* of, char* buffer, size_t capacity, size_t* length) {
  PyObject* string = (PyObject*)of;
  *length = 0;
  if (string == NULL || !PyUnicode_Check(string)) return buffer;
  const size_t characters = (size_t)PyUnicode_GET_LENGTH(string);
  if (PyUnicode_IS_ASCII(string)) {
    *length = characters < capacity ? characters : capacity;
    return PyUnicode_DATA(string);
  }
  for (size_t i = 0; i < characters && *length + 4 <= capacity; ++i) {
    *length += encode(PyUnicode_READ_CHAR(string, (Py_ssize_t)i), buffer + *length);
  }
  return buffer;
}

size_t gilscope_copy_text(uintptr_t string, char* buffer, size_t capacity) {
  PyASCIIObject head;
  if (string == 0 || !gilscope_copy(&head, string, sizeof head)) return 0;
  const size_t length = (size_t)head.length;
  if (head.ob_base.ob_type != &PyUnicode_Type || !head.state.ascii || !head.state.compact ||
      length == 0 || length > capacity || !gilscope_copy(buffer, string + sizeof head, length)) {
    return 0;
  }
  return length;
}
