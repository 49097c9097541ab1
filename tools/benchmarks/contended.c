/* Benchmark helper: waits for the GIL and for a lock, and callbacks; no Python between them. */
#include <Python.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define HOLD_NS 20000 /* after the request: long enough to fall asleep, and for the stack */
#define SPINS 200

static atomic_int turn;
static atomic_int asked;
static atomic_int arrived;
static PyThread_type_lock lock;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void busy(int64_t ns) {
  const int64_t end = now() + ns;
  while (now() < end) {
  }
}

static void await(atomic_int* what, int wanted) {
  for (int spins = 0; atomic_load_explicit(what, memory_order_acquire) != wanted; ++spins) {
    if (spins % SPINS == SPINS - 1) sched_yield();
  }
}

/* Both threads are in native code: whoever takes the GIL first cannot keep the other one out. */
static void meet(void) {
  const int both = atomic_fetch_add(&arrived, 1) / 2 * 2 + 2;
  while (atomic_load(&arrived) < both) sched_yield();
}

/* Holds something until the other thread has asked for it, and for a while after that. */
static void hold(int me, int last) {
  atomic_store_explicit(&asked, 0, memory_order_relaxed);
  atomic_store_explicit(&turn, !me, memory_order_release);
  if (!last) await(&asked, 1);
  busy(HOLD_NS);
}

/* gil_turns(me, n): two threads call it, 0 and 1; each waits n times for the GIL that the other one
 * holds. */
static PyObject* gil_turns(PyObject* module, PyObject* args) {
  int me = 0;
  long n = 0;
  if (!PyArg_ParseTuple(args, "il", &me, &n)) return NULL;
  PyThreadState* state = PyEval_SaveThread();
  meet();
  for (long i = 0; i < n; ++i) {
    await(&turn, me);
    atomic_store_explicit(&asked, 1, memory_order_release);
    PyEval_RestoreThread(state);
    hold(me, me == 1 && i == n - 1);
    state = PyEval_SaveThread();
  }
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

/* lock_turns(me, n): the same with a lock of the interpreter, without the GIL. */
static PyObject* lock_turns(PyObject* module, PyObject* args) {
  int me = 0;
  long n = 0;
  if (!PyArg_ParseTuple(args, "il", &me, &n)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  meet();
  for (long i = 0; i < n; ++i) {
    await(&turn, me);
    atomic_store_explicit(&asked, 1, memory_order_release);
    PyThread_acquire_lock(lock, WAIT_LOCK);
    hold(me, me == 1 && i == n - 1);
    PyThread_release_lock(lock);
  }
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

struct calls {
  PyObject* callable;
  long count;
  int64_t spent_ns;
};

static void* call(void* data) {
  struct calls* calls = data;
  /* Around them a state that stays: what is made anew for each is no part of a callback. */
  const PyGILState_STATE outer = PyGILState_Ensure();
  PyThreadState* state = PyEval_SaveThread();
  const int64_t begin = now();
  for (long i = 0; i < calls->count; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyObject* result = PyObject_CallNoArgs(calls->callable);
    if (result == NULL) PyErr_Clear();
    Py_XDECREF(result);
    PyGILState_Release(entered);
  }
  calls->spent_ns = now() - begin;
  PyEval_RestoreThread(state);
  PyGILState_Release(outer);
  return NULL;
}

/* callbacks(callable, n): how long n callbacks of one native thread take, ns. */
static PyObject* callbacks(PyObject* module, PyObject* args) {
  struct calls calls = {0};
  if (!PyArg_ParseTuple(args, "Ol", &calls.callable, &calls.count)) return NULL;
  pthread_t thread;
  if (pthread_create(&thread, NULL, call, &calls) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_BEGIN_ALLOW_THREADS;
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  return PyLong_FromLongLong(calls.spent_ns);
}

static PyMethodDef methods[] = {{"gil_turns", gil_turns, METH_VARARGS, NULL},
                                {"lock_turns", lock_turns, METH_VARARGS, NULL},
                                {"callbacks", callbacks, METH_VARARGS, NULL},
                                {NULL}};

static int prepare(PyObject* module) {
  lock = PyThread_allocate_lock();
  return lock == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, prepare},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "contended", NULL, 0, methods, slots};

PyMODINIT_FUNC PyInit_contended(void) { return PyModuleDef_Init(&definition); }
