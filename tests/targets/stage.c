/* Stages what threads of a program under test do, so that the order of events is certain and their
 * number known. Compiled by the tests for each interpreter; it knows nothing of the probe. */
#define _GNU_SOURCE
#include "stage.h"

#include <Python.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 30, SENTINEL = 7777 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Holds a processor or the GIL: no call into Python, no sleep that could be cut short. */
static void spin(double duration) {
  for (const double end = seconds() + duration; seconds() < end;) {
  }
}

static char state_of(long tid) {
  char path[64];
  char line[512] = "";
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
  FILE* file = fopen(path, "re");
  if (file == NULL) return '?';
  const char* read = fgets(line, sizeof line, file);
  fclose(file);
  /* "tid (name) S ...": the name may hold anything, so from the right. */
  const char* end = read != NULL ? strrchr(line, ')') : NULL;
  return end != NULL ? end[2] : '?';
}

/* Waits until the kernel says that the thread sleeps. */
static int sleeps(long tid) {
  for (const double end = seconds() + PATIENCE_S; seconds() < end;) {
    if (state_of(tid) == 'S') return 1;
    usleep(200);
  }
  return 0;
}

static PyObject* none_if(int ok) {
  if (ok) Py_RETURN_NONE;
  PyErr_SetString(PyExc_TimeoutError, "the thread never went to sleep");
  return NULL;
}

/* Without the GIL meanwhile: a thread that sleeps then does not sleep for want of the GIL. */
static PyObject* asleep(PyObject* self, PyObject* args) {
  (void)self;
  long tid;
  if (!PyArg_ParseTuple(args, "l", &tid)) return NULL;
  int ok;
  Py_BEGIN_ALLOW_THREADS;
  ok = sleeps(tid);
  Py_END_ALLOW_THREADS;
  return none_if(ok);
}

/* The same with the GIL held, and so for a thread that waits for it. */
static PyObject* asleep_attached(PyObject* self, PyObject* args) {
  (void)self;
  long tid;
  if (!PyArg_ParseTuple(args, "l", &tid)) return NULL;
  return none_if(sleeps(tid));
}

static atomic_int object_is_held;

/* hold_object(object, tid): keeps the object's own lock until the thread sleeps. */
static PyObject* hold_object(PyObject* self, PyObject* args) {
  (void)self;
  PyObject* object;
  long tid;
  if (!PyArg_ParseTuple(args, "Ol", &object, &tid)) return NULL;
  int ok;
  Py_BEGIN_CRITICAL_SECTION(object);
  object_is_held = 1;
  ok = sleeps(tid);
  Py_END_CRITICAL_SECTION();
  return none_if(ok);
}

/* Returns, without having slept, once the object is held. */
static PyObject* await_hold(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  while (object_is_held == 0) sched_yield();
  Py_RETURN_NONE;
}

static PyMutex mutex;

static PyObject* lock_mutex(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyMutex_Lock(&mutex);
  Py_RETURN_NONE;
}

static PyObject* unlock_mutex(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyMutex_Unlock(&mutex);
  return PyLong_FromVoidPtr(&mutex);
}

/* A mutex of no object, where an object's would be: what would be its type is no address. */
static struct {
  _Alignas(16) char before[10];
  PyMutex mutex;
  uintptr_t after[2];
} placed = {.after = {1, 1}};

static PyObject* lock_placed(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyMutex_Lock(&placed.mutex);
  Py_RETURN_NONE;
}

static PyObject* unlock_placed(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyMutex_Unlock(&placed.mutex);
  return PyLong_FromVoidPtr(&placed.mutex);
}

#ifdef Py_GIL_DISABLED
#if PY_VERSION_HEX < 0x030E0000
/* What the public function calls when it has to wait. */
extern void _PyCriticalSection_BeginSlow(PyCriticalSection*, PyMutex*);
#define PyCriticalSection_BeginMutex _PyCriticalSection_BeginSlow
#endif

/* Waits for it in a critical section. */
static PyObject* pass_placed(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyCriticalSection section;
  PyCriticalSection_BeginMutex(&section, &placed.mutex);
  PyCriticalSection_End(&section);
  Py_RETURN_NONE;
}
#endif

static void pair(void) {
  PyThreadState* state = PyEval_SaveThread();
  PyEval_RestoreThread(state);
}

static PyObject* pairs(PyObject* self, PyObject* args) {
  (void)self;
  long n;
  if (!PyArg_ParseTuple(args, "l", &n)) return NULL;
  for (long i = 0; i < n; ++i) pair();
  Py_RETURN_NONE;
}

/* A thread of native code, as a library starts it. */
struct native {
  pthread_t thread;
  _Atomic long tid;
  long pairs;
  char name[16];
  PyObject* callable;
};

static void* native_main(void* data) {
  struct native* native = data;
  if (native->name[0] != '\0') prctl(PR_SET_NAME, native->name);
  native->tid = syscall(SYS_gettid);
  const PyGILState_STATE entered = PyGILState_Ensure();
  for (long i = 0; i < native->pairs; ++i) pair();
  if (native->callable != Py_None) {
    PyObject* result = PyObject_CallNoArgs(native->callable);
    if (result == NULL) PyErr_WriteUnraisable(native->callable);
    Py_XDECREF(result);
  }
  PyGILState_Release(entered);
  return NULL;
}

static void forget(PyObject* capsule) {
  struct native* native = PyCapsule_GetPointer(capsule, NULL);
  Py_DECREF(native->callable);
  PyMem_RawFree(native);
}

static PyObject* created(PyObject* callable, const char* name, long pairs_to_do) {
  struct native* native = PyMem_RawCalloc(1, sizeof *native);
  if (native == NULL) return PyErr_NoMemory();
  native->callable = Py_NewRef(callable);
  native->pairs = pairs_to_do;
  snprintf(native->name, sizeof native->name, "%s", name);
  PyObject* capsule = PyCapsule_New(native, NULL, forget);
  if (capsule == NULL) return NULL;
  if (pthread_create(&native->thread, NULL, native_main, native) != 0) {
    Py_DECREF(capsule);
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  while (native->tid == 0) sched_yield();
  return Py_BuildValue("Nl", capsule, (long)native->tid);
}

/* start_native(callable or None, name, pairs) -> (handle, tid): the thread enters Python, lets the
 * GIL go and takes it again that many times, calls and ends. */
static PyObject* start_native(PyObject* self, PyObject* args) {
  (void)self;
  PyObject* callable;
  const char* name;
  long pairs_to_do;
  if (!PyArg_ParseTuple(args, "Osl", &callable, &name, &pairs_to_do)) return NULL;
  return created(callable, name, pairs_to_do);
}

/* ask_while_held(name, seconds) -> (handle, tid): starts a native thread that asks for the GIL,
 * keeps the GIL until that thread sleeps and that long after, and then gives it up from native
 * code. The evaluation loop has no part in it from beginning to end. */
static PyObject* ask_while_held(PyObject* self, PyObject* args) {
  (void)self;
  const char* name;
  double duration;
  if (!PyArg_ParseTuple(args, "sd", &name, &duration)) return NULL;
  PyObject* native = created(Py_None, name, 0);
  if (native == NULL) return NULL;
  const int ok = sleeps(PyLong_AsLong(PyTuple_GET_ITEM(native, 1)));
  spin(duration);
  pair();
  if (ok) return native;
  Py_DECREF(native);
  return none_if(ok);
}

static PyObject* join_native(PyObject* self, PyObject* capsule) {
  (void)self;
  struct native* native = PyCapsule_GetPointer(capsule, NULL);
  if (native == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  pthread_join(native->thread, NULL);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

/* Threads that never enter Python, one after another. */
static void* idle_main(void* data) { return data; }

static PyObject* idle_threads(PyObject* self, PyObject* args) {
  (void)self;
  long n;
  long made = 0;
  if (!PyArg_ParseTuple(args, "l", &n)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  for (long i = 0; i < n; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, idle_main, NULL) != 0) break;
    pthread_join(thread, NULL);
    ++made;
  }
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(made);
}

/* errno after a call that had to wait, having been SENTINEL before. */
#define ERRNO_OF(call) (errno = SENTINEL, (call), errno)

static PyObject* errno_of_gil(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyThreadState* state = PyEval_SaveThread();
  return PyLong_FromLong(ERRNO_OF(PyEval_RestoreThread(state)));
}

static PyObject* errno_of_mutex(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  const int value = ERRNO_OF(PyMutex_Lock(&mutex));
  PyMutex_Unlock(&mutex);
  return PyLong_FromLong(value);
}

static PyThread_type_lock thread_lock;

static PyObject* lock_thread_lock(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  int value;
  Py_BEGIN_ALLOW_THREADS;
  value = ERRNO_OF(PyThread_acquire_lock(thread_lock, WAIT_LOCK));
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(value);
}

static PyObject* unlock_thread_lock(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  return PyLong_FromLong(ERRNO_OF(PyThread_release_lock(thread_lock)));
}

static PyMethodDef methods[] = {
    {"ask_while_held", ask_while_held, METH_VARARGS, NULL},
    {"asleep", asleep, METH_VARARGS, NULL},
    {"asleep_attached", asleep_attached, METH_VARARGS, NULL},
    {"await_hold", await_hold, METH_NOARGS, NULL},
    {"errno_of_gil", errno_of_gil, METH_NOARGS, NULL},
    {"errno_of_mutex", errno_of_mutex, METH_NOARGS, NULL},
    {"hold_object", hold_object, METH_VARARGS, NULL},
    {"idle_threads", idle_threads, METH_VARARGS, NULL},
    {"join_native", join_native, METH_O, NULL},
    {"lock_mutex", lock_mutex, METH_NOARGS, NULL},
    {"lock_placed", lock_placed, METH_NOARGS, NULL},
    {"lock_thread_lock", lock_thread_lock, METH_NOARGS, NULL},
    {"pairs", pairs, METH_VARARGS, NULL},
#ifdef Py_GIL_DISABLED
    {"pass_placed", pass_placed, METH_NOARGS, NULL},
#endif
    {"slots", stage_slots, METH_NOARGS, NULL},
    {"start_native", start_native, METH_VARARGS, NULL},
    {"unlock_mutex", unlock_mutex, METH_NOARGS, NULL},
    {"unlock_placed", unlock_placed, METH_NOARGS, NULL},
    {"unlock_thread_lock", unlock_thread_lock, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject* module) {
  thread_lock = PyThread_allocate_lock();
  return thread_lock == NULL ? -1 : PyModule_AddIntMacro(module, SENTINEL);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifndef STAGE_NEEDS_GIL
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

/* The same module under several names: one makes a free-threaded build switch its GIL on, one is
 * imported late. */
#ifndef STAGE_NAME
#define STAGE_NAME stage
#endif
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define INIT_OF(name) PyInit_##name
#define INIT(name) INIT_OF(name)

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = TEXT(STAGE_NAME),
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC INIT(STAGE_NAME)(void) { return PyModuleDef_Init(&module); }
