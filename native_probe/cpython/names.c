#define _GNU_SOURCE
#define Py_BUILD_CORE 1
#include "cpython/names.h"

#include <Python.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cpython/frames.h"
#include "cpython/interpreter_frame.h"
#include "internal/pycore_code.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_global_strings.h"
#include "internal/pycore_moduleobject.h"
#include "internal/pycore_object.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_tracemalloc.h"

/* What belongs to a frame of this thread is alive and is read as it is: its code, its function,
 * what its local variables hold, and of such an object its type and the slots inside the object
 * itself. What other threads may replace and free at any time is copied by way of the kernel, and
 * believed if the place that it was found through still leads to it afterwards. */

enum {
  kMaxFrames = 64,
  kMaxLocals = 64,
  kMaxAttributes = 64,
  kMaxEntries = 8192,
  kMaxBases = 8,
  kMaxDicts = 24,
  kMaxCopies = 400, /* some 100 µs */
  kNearFrames = 2,
  kEntriesAtOnce = 64,
  kMaxWord = 64 /* bytes of one part of a name */
};

static uintptr_t lock_types[2];

void gilscope_name_locks(uintptr_t lock_type, uintptr_t rlock_type) {
  lock_types[0] = lock_type;
  lock_types[1] = rlock_type;
}

struct Search {
  uintptr_t object;
  uintptr_t address;
  int copies;
  int dicts;
  uintptr_t seen[kMaxDicts];
  struct gilscope_name* name;
};

static int copy(struct Search* search, void* to, uintptr_t from, size_t size) {
  return search->copies-- > 0 && gilscope_copy(to, from, size);
}

/* Whether a value, perhaps dead by now, is what the thread is about to wait for. */
static int matches(struct Search* search, uintptr_t value) {
  if (search->object != 0) return value == search->object;
  /* Lock objects that are semaphores have a pointer to it right behind their header. */
  struct {
    uintptr_t type;
    uintptr_t lock;
  } words;
  _Static_assert(offsetof(PyObject, ob_type) + sizeof(uintptr_t) == sizeof(PyObject),
                 "the type is the last field of an object's header");
  if (value == 0 || !copy(search, &words, value + offsetof(PyObject, ob_type), sizeof words)) {
    return 0;
  }
  return words.lock == search->address &&
         (words.type == lock_types[0] || words.type == lock_types[1]);
}

static int seen_before(struct Search* search, uintptr_t dict) {
  for (int i = 0; i < search->dicts; ++i) {
    if (search->seen[i] == dict) return 1;
  }
  if (search->dicts == kMaxDicts) return 1;
  search->seen[search->dicts++] = dict;
  return 0;
}

/* --- Names -------------------------------------------------------------------------------------
 */

static void append(struct gilscope_name* name, const char* text, size_t length) {
  if (length > sizeof name->text - name->length) length = sizeof name->text - name->length;
  memcpy(name->text + name->length, text, length);
  name->length += length;
}

static void set(struct Search* search, uint32_t source, const char* owner, size_t owner_length,
                const char* between, const char* word, size_t length) {
  struct gilscope_name* name = search->name;
  name->source = source;
  name->length = 0;
  if (owner_length > kMaxWord) owner_length = kMaxWord;
  append(name, owner, owner_length);
  if (owner_length != 0) append(name, between, strlen(between));
  append(name, word, length);
}

static void set_attribute(struct Search* search, PyTypeObject* type, const char* word,
                          size_t length) {
  set(search, GILSCOPE_ATTRIBUTE, type->tp_name, strlen(type->tp_name), ".", word, length);
}

/* --- Dictionaries that others may change -------------------------------------------------------
 */

struct Entries {
  uintptr_t dict;
  uintptr_t keys;
  uintptr_t first;
  size_t count;
  size_t size; /* in words: hash or none, key, value */
};

static int open_dict(struct Search* search, uintptr_t dict, struct Entries* entries) {
  PyDictObject head;
  PyDictKeysObject keys;
  if (dict == 0 || !copy(search, &head, dict, sizeof head) ||
      head.ob_base.ob_type != &PyDict_Type || head.ma_values != NULL ||
      !copy(search, &keys, (uintptr_t)head.ma_keys, sizeof keys) || keys.dk_log2_index_bytes > 24) {
    return 0;
  }
  entries->dict = dict;
  entries->keys = (uintptr_t)head.ma_keys;
  entries->first = entries->keys + offsetof(PyDictKeysObject, dk_indices) +
                   ((size_t)1 << keys.dk_log2_index_bytes);
  entries->size = keys.dk_kind == DICT_KEYS_GENERAL ? 3 : 2;
  const size_t count = keys.dk_nentries > 0 ? (size_t)keys.dk_nentries : 0;
  entries->count = count < kMaxEntries ? count : kMaxEntries;
  return 1;
}

static int is_still_there(struct Search* search, const struct Entries* entries, size_t i,
                          uintptr_t key, uintptr_t value) {
  uintptr_t keys = 0;
  uintptr_t entry[3];
  return copy(search, entry, entries->first + i * entries->size * sizeof *entry,
              entries->size * sizeof *entry) &&
         entry[entries->size - 2] == key && entry[entries->size - 1] == value &&
         copy(search, &keys, entries->dict + offsetof(PyDictObject, ma_keys), sizeof keys) &&
         keys == entries->keys;
}

/* Copies the name under which the dict has the object; 0 when it has it not. */
static size_t find_in_dict(struct Search* search, const struct Entries* entries, char* word) {
  uintptr_t some[kEntriesAtOnce * 3];
  const size_t size = entries->size;
  for (size_t done = 0; done < entries->count;) {
    size_t n = entries->count - done;
    if (n > kEntriesAtOnce) n = kEntriesAtOnce;
    const uintptr_t from = entries->first + done * size * sizeof *some;
    if (!copy(search, some, from, n * size * sizeof *some)) return 0;
    for (size_t i = 0; i < n; ++i) {
      const uintptr_t key = some[i * size + size - 2];
      const uintptr_t value = some[i * size + size - 1];
      if (value == 0 || !matches(search, value)) continue;
      const size_t length = gilscope_copy_text(key, word, kMaxWord);
      if (length != 0 && is_still_there(search, entries, done + i, key, value)) return length;
    }
    done += n;
  }
  return 0;
}

/* The name of the module whose variables the dict has: one of its first entries. */
static size_t module_of(struct Search* search, const struct Entries* entries, char* word) {
  enum { kFirst = 8 };
  uintptr_t some[kFirst * 3];
  const size_t size = entries->size;
  const size_t n = entries->count < kFirst ? entries->count : kFirst;
  if (!copy(search, some, entries->first, n * size * sizeof *some)) return 0;
  for (size_t i = 0; i < n; ++i) {
    const uintptr_t key = some[i * size + size - 2];
    const uintptr_t value = some[i * size + size - 1];
    if (key != (uintptr_t)&_Py_ID(__name__)) continue;
    const size_t length = gilscope_copy_text(value, word, kMaxWord);
    return is_still_there(search, entries, i, key, value) ? length : 0;
  }
  return 0;
}

static int find_global(struct Search* search, uintptr_t dict) {
  struct Entries entries;
  char word[kMaxWord];
  char module[kMaxWord];
  if (seen_before(search, dict) || !open_dict(search, dict, &entries)) return 0;
  const size_t length = find_in_dict(search, &entries, word);
  if (length == 0) return 0;
  set(search, GILSCOPE_MODULE_GLOBAL, module, module_of(search, &entries, module), ".", word,
      length);
  return 1;
}

/* --- Attributes of an object that a local variable holds ---------------------------------------
 */

/* The values stand inside the object, their names in the keys that the type keeps. */
static int find_inline(struct Search* search, PyObject* object, PyTypeObject* type) {
  if ((type->tp_flags & Py_TPFLAGS_INLINE_VALUES) == 0) return 0;
  const PyDictValues* values = _PyObject_InlineValues(object);
  PyDictKeysObject* keys = ((PyHeapTypeObject*)type)->ht_cached_keys;
  if (keys == NULL || !values->valid) return 0;
  for (int i = 0; i < values->capacity && i < kMaxAttributes; ++i) {
    const uintptr_t value = (uintptr_t)__atomic_load_n(&values->values[i], __ATOMIC_RELAXED);
    if (value == 0 || !matches(search, value)) continue;
    const PyObject* key = __atomic_load_n(&DK_UNICODE_ENTRIES(keys)[i].me_key, __ATOMIC_ACQUIRE);
    if (key == NULL) continue;
    char buffer[kMaxWord];
    size_t length = 0;
    const char* word = gilscope_text(key, buffer, sizeof buffer, &length);
    set_attribute(search, type, word, length);
    return 1;
  }
  return 0;
}

static int find_slot(struct Search* search, PyObject* object, PyTypeObject* type) {
  for (int bases = 0; type != NULL && bases < kMaxBases; ++bases, type = type->tp_base) {
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0 || type->tp_members == NULL) continue;
    const PyMemberDef* member = type->tp_members;
    for (; member->name != NULL; ++member) {
      if (member->type != Py_T_OBJECT_EX) continue;
      PyObject** slot = (PyObject**)((char*)object + member->offset);
      if (!matches(search, (uintptr_t)__atomic_load_n(slot, __ATOMIC_RELAXED))) continue;
      set_attribute(search, Py_TYPE(object), member->name, strlen(member->name));
      return 1;
    }
  }
  return 0;
}

static int find_in_attributes(struct Search* search, uintptr_t dict, PyTypeObject* type) {
  struct Entries entries;
  char word[kMaxWord];
  if (seen_before(search, dict) || !open_dict(search, dict, &entries)) return 0;
  const size_t length = find_in_dict(search, &entries, word);
  if (length != 0) set_attribute(search, type, word, length);
  return length != 0;
}

static int find_outside(struct Search* search, PyObject* object, PyTypeObject* type) {
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
    PyDictObject** dict = &_PyObject_ManagedDictPointer(object)->dict;
    const uintptr_t found = (uintptr_t)__atomic_load_n(dict, __ATOMIC_ACQUIRE);
    if (found != 0 && find_in_attributes(search, found, type)) return 1;
  }
  for (int bases = 0; type != NULL && bases < kMaxBases; ++bases, type = type->tp_base) {
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) break;
    if (find_in_attributes(search, (uintptr_t)type->tp_dict, type)) return 1;
  }
  return 0;
}

/* --- Frames ------------------------------------------------------------------------------------
 */

static PyCodeObject* code_of(const _PyInterpreterFrame* frame) {
  return (PyCodeObject*)gilscope_code_of_frame(frame);
}

/* The object in a local variable's place, or 0. */
static uintptr_t local_at(const _PyInterpreterFrame* frame, int i) {
#if PY_VERSION_HEX >= 0x030E0000
  const uintptr_t bits = frame->localsplus[i].bits;
  /* Include/internal/pycore_stackref.h: 3 is an integer, and from 3.15 on 2 is no object either. */
  return (bits & 2) != 0 ? 0 : bits & ~(uintptr_t)3;
#else
  return (uintptr_t)frame->localsplus[i];
#endif
}

static int locals_of(const PyCodeObject* code) {
  return code->co_nlocalsplus < kMaxLocals ? code->co_nlocalsplus : kMaxLocals;
}

static int is_word(const char* word, size_t length, const char* other) {
  return length == strlen(other) && memcmp(word, other, length) == 0;
}

/* The same, or what is in the variable's cell, which may be dead. */
static uintptr_t variable_at(const _PyInterpreterFrame* frame, int i) {
  const uintptr_t value = local_at(frame, i);
  const char kind = PyBytes_AS_STRING(code_of(frame)->co_localspluskinds)[i];
  if (value == 0 || (kind & (CO_FAST_CELL | CO_FAST_FREE)) == 0 ||
      !PyCell_Check((PyObject*)value)) {
    return value;
  }
  return (uintptr_t)__atomic_load_n(&((PyCellObject*)value)->ob_ref, __ATOMIC_RELAXED);
}

/* The method's own object, what is not to be looked at, what is no variable of the program's. */
static int says_nothing(const char* word, size_t length) {
  return length == 0 || word[0] == '.' || is_word(word, length, "self") ||
         is_word(word, length, "cls") || is_word(word, length, "_");
}

static int find_local(struct Search* search, const _PyInterpreterFrame* frame) {
  PyCodeObject* code = code_of(frame);
  for (int i = 0; i < locals_of(code); ++i) {
    const uintptr_t value = variable_at(frame, i);
    if (value == 0 || !matches(search, value)) continue;
    char buffers[2][kMaxWord];
    size_t length = 0;
    size_t owner_length = 0;
    const PyObject* local = PyTuple_GET_ITEM(code->co_localsplusnames, i);
    const char* word = gilscope_text(local, buffers[0], kMaxWord, &length);
    if (says_nothing(word, length)) continue;
    const char* owner = gilscope_text(code->co_qualname, buffers[1], kMaxWord, &owner_length);
    set(search, GILSCOPE_LOCAL_VARIABLE, owner, owner_length, ".<locals>.", word, length);
    search->name->place = (uint32_t)i;
    return 1;
  }
  return 0;
}

typedef int (*look)(struct Search*, PyObject*, PyTypeObject*);

static int find_attribute(struct Search* search, const _PyInterpreterFrame* frame, look find) {
  PyCodeObject* code = code_of(frame);
  for (int i = 0; i < locals_of(code); ++i) {
    const char kind = PyBytes_AS_STRING(code->co_localspluskinds)[i];
    PyObject* object = (PyObject*)local_at(frame, i);
    /* What a cell holds, others may replace. */
    if (object == NULL || (kind & (CO_FAST_CELL | CO_FAST_FREE)) != 0) continue;
    PyTypeObject* type = Py_TYPE(object);
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) continue;
    if (find(search, object, type)) return 1;
  }
  return 0;
}

static int is_whole(const void* frame) {
  struct gilscope_place place;
  return gilscope_place_of(frame, &place);
}

/* The outermost frame that knows the object says best what it is: a queue's `mutex` is the `_lock`
 * of the condition that it is waited through, too. */
static int each_frame(struct Search* search, const void* innermost, look find) {
  int found = 0;
  const void* frame = innermost;
  for (int n = 0; frame != NULL && n < kMaxFrames; ++n, frame = gilscope_calling_frame(frame)) {
    if (!is_whole(frame)) continue;
    if (find != NULL) {
      found |= find_attribute(search, frame, find);
    } else if (find_local(search, frame)) {
      search->name->frame = (uint32_t)n;
      found = 1;
    }
  }
  return found;
}

static int each_module(struct Search* search, const void* innermost) {
  const _PyInterpreterFrame* frame = innermost;
  for (int n = 0; frame != NULL && n < kMaxFrames; ++n, frame = gilscope_calling_frame(frame)) {
    if (find_global(search, (uintptr_t)frame->f_globals)) return 1;
  }
  return 0;
}

/* Variables of the modules that a module's variables hold, such as sys.modules. */
static int find_in_imported(struct Search* search, uintptr_t dict) {
  struct Entries entries;
  if (!open_dict(search, dict, &entries)) return 0;
  const size_t size = entries.size;
  uintptr_t some[kEntriesAtOnce * 3];
  for (size_t done = 0; done < entries.count;) {
    size_t n = entries.count - done;
    if (n > kEntriesAtOnce) n = kEntriesAtOnce;
    if (!copy(search, some, entries.first + done * size * sizeof *some, n * size * sizeof *some)) {
      return 0;
    }
    for (size_t i = 0; i < n; ++i) {
      PyModuleObject module;
      const uintptr_t value = some[i * size + size - 1];
      if (value == 0 || !copy(search, &module, value, sizeof module)) continue;
      if (Py_TYPE(&module) == &PyModule_Type && find_global(search, (uintptr_t)module.md_dict)) {
        return 1;
      }
    }
    done += n;
  }
  return 0;
}

static int each_imported(struct Search* search, const void* innermost) {
  const _PyInterpreterFrame* frame = innermost;
  for (int n = 0; frame != NULL && n < kNearFrames; ++n, frame = gilscope_calling_frame(frame)) {
    if (find_in_imported(search, (uintptr_t)frame->f_globals)) return 1;
  }
  return 0;
}

int gilscope_find_name(uintptr_t object, uintptr_t address, struct gilscope_name* name) {
  int watched = 0;
  const void* frame = gilscope_innermost_frame(&watched);
  struct Search search = {object, address, kMaxCopies, 0, {0}, name};
  if (frame == NULL) return 0;
  return each_module(&search, frame) || each_frame(&search, frame, find_inline) ||
         each_frame(&search, frame, find_slot) || each_frame(&search, frame, find_outside) ||
         each_frame(&search, frame, NULL) || each_imported(&search, frame);
}

int gilscope_is_local(uintptr_t object, uintptr_t address, uint32_t depth, uint32_t place) {
  int watched = 0;
  struct Search search = {object, address, kMaxCopies, 0, {0}, NULL};
  const void* frame = gilscope_innermost_frame(&watched);
  for (; frame != NULL && depth > 0; --depth) frame = gilscope_calling_frame(frame);
  return frame != NULL && is_whole(frame) && (int)place < locals_of(code_of(frame)) &&
         matches(&search, variable_at(frame, (int)place));
}

/* --- Beginnings and ends of lock objects ----------------------------------------------------- */

enum { kPlaces = 1 << 16, kProbes = 64 };
static struct {
  _Atomic uintptr_t address;
  _Atomic uint32_t ends;
} ends[kPlaces];
static _Atomic uint32_t used_places;
static destructor destructors[2];

static uint32_t first_place(uintptr_t address) {
  return (uint32_t)(((uint64_t)address * 0x9E3779B97F4A7C15u) >> 48);
}

uint32_t gilscope_ends_at(uintptr_t address) {
  for (uint32_t i = 0; i < kProbes; ++i) {
    const uint32_t place = (first_place(address) + i) % kPlaces;
    uintptr_t seen = atomic_load_explicit(&ends[place].address, memory_order_relaxed);
    if (seen == 0 && atomic_compare_exchange_strong(&ends[place].address, &seen, address)) {
      atomic_fetch_add_explicit(&used_places, 1, memory_order_relaxed);
      return 0;
    }
    if (seen == address) return atomic_load_explicit(&ends[place].ends, memory_order_relaxed);
  }
  return 0;
}

static void count_end(uintptr_t address) {
  for (uint32_t i = 0; i < kProbes; ++i) {
    const uint32_t place = (first_place(address) + i) % kPlaces;
    const uintptr_t seen = atomic_load_explicit(&ends[place].address, memory_order_relaxed);
    if (seen == 0) return; /* nobody has asked */
    if (seen != address) continue;
    atomic_fetch_add_explicit(&ends[place].ends, 1, memory_order_relaxed);
    return;
  }
}

static void count_ends(PyObject* lock) {
  count_end((uintptr_t)lock);
  count_end(*(const uintptr_t*)(lock + 1)); /* the semaphore, or nothing that anybody asked for */
}

/* For a hook of a slot, which is written after the words that the hook reads. That orders the
 * writes; on aarch64 the reads need an order as well. */
static void read_after_slot(void) {
#ifdef __aarch64__
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

static void end_of_lock(PyObject* lock) {
  read_after_slot();
  count_ends(lock);
  __atomic_load_n(&destructors[0], __ATOMIC_RELAXED)(lock);
}

static void end_of_rlock(PyObject* lock) {
  read_after_slot();
  count_ends(lock);
  __atomic_load_n(&destructors[1], __ATOMIC_RELAXED)(lock);
}

static const destructor watching[2] = {end_of_lock, end_of_rlock};

/* Atomic, like the destructors: threads that a session found in here are there in the next one. */
static void (*tell_created)(uintptr_t, const void*);
static allocfunc allocators[2];

static PyObject* told(PyObject* lock, const void* frame) {
  if (lock != NULL) __atomic_load_n(&tell_created, __ATOMIC_RELAXED)((uintptr_t)lock, frame);
  return lock;
}

static PyObject* begin_of_lock(PyTypeObject* type, Py_ssize_t items) {
  read_after_slot();
  const allocfunc allocate = __atomic_load_n(&allocators[0], __ATOMIC_RELAXED);
  return told(allocate(type, items), __builtin_frame_address(0));
}

static PyObject* begin_of_rlock(PyTypeObject* type, Py_ssize_t items) {
  read_after_slot();
  const allocfunc allocate = __atomic_load_n(&allocators[1], __ATOMIC_RELAXED);
  return told(allocate(type, items), __builtin_frame_address(0));
}

static const allocfunc telling[2] = {begin_of_lock, begin_of_rlock};

void gilscope_watch_locks(void (*created)(uintptr_t, const void*)) {
  __atomic_store_n(&tell_created, created, __ATOMIC_RELAXED);
  /* No session runs yet, so nobody remembers a number. */
  if (used_places > kPlaces / 4) {
    memset(ends, 0, sizeof ends);
    used_places = 0;
  }
  for (int i = 0; i < 2; ++i) {
    PyTypeObject* type = (PyTypeObject*)lock_types[i];
    /* A static type is shared by all interpreters. */
    if (type == NULL || (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) continue;
    if (type->tp_basicsize < (Py_ssize_t)(sizeof(PyObject) + sizeof(uintptr_t))) continue;
    if (type->tp_dealloc == watching[i]) continue;
    __atomic_store_n(&destructors[i], type->tp_dealloc, __ATOMIC_RELAXED);
    __atomic_store_n(&allocators[i], type->tp_alloc, __ATOMIC_RELAXED);
    __atomic_store_n(&type->tp_alloc, telling[i], __ATOMIC_RELEASE);
    __atomic_store_n(&type->tp_dealloc, watching[i], __ATOMIC_RELEASE);
  }
}

void gilscope_unwatch_locks(void) {
  for (int i = 0; i < 2; ++i) {
    PyTypeObject* type = (PyTypeObject*)lock_types[i];
    if (type == NULL || type->tp_dealloc != watching[i]) continue;
    __atomic_store_n(&type->tp_alloc, allocators[i], __ATOMIC_RELEASE);
    __atomic_store_n(&type->tp_dealloc, destructors[i], __ATOMIC_RELEASE);
  }
}

size_t gilscope_allocation_of(uintptr_t lock, char* text, size_t capacity) {
  const size_t before = _PyType_PreHeaderSize((PyTypeObject*)lock_types[0]);
  PyObject* frames = _PyTraceMalloc_GetTraceback(0, lock - before);
  size_t length = 0;
  PyObject* frame = frames != NULL && PyTuple_Check(frames) && PyTuple_GET_SIZE(frames) > 0
                        ? PyTuple_GET_ITEM(frames, 0)
                        : NULL;
  if (frame != NULL && PyTuple_Check(frame) && PyTuple_GET_SIZE(frame) == 2) {
    const char* file = gilscope_text(PyTuple_GET_ITEM(frame, 0), text, capacity - 16, &length);
    if (file != text) memcpy(text, file, length);
    const long line = PyLong_AsLong(PyTuple_GET_ITEM(frame, 1));
    length += (size_t)snprintf(text + length, 16, ":%ld", line);
  }
  PyErr_Clear();
  Py_XDECREF(frames);
  return length;
}
