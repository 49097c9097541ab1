/* Thread states that other threads than their own create, swap, clear and delete. */
#include "hostile.h"

struct orphan {
  PyThreadState* state;
  PyThread_type_lock gate;  /* the native thread parks here once its state is gone */
  PyThread_type_lock ready; /* released by the native thread when it is detached */
};

/* A native thread that has used a state, and lives on after somebody else has deleted it. */
static void* live_on(void* argument) {
  struct orphan* orphan = argument;
  PyEval_AcquireThread(orphan->state);
  PyEval_SaveThread();
  PyThread_release_lock(orphan->ready);
  PyThread_acquire_lock(orphan->gate, WAIT_LOCK);
  PyThread_release_lock(orphan->gate);
  return NULL;
}

/* orphans(n, pause_us): n native threads one after another, whose states are deleted while they
   live. Must be called in a thread that ends afterwards: the interpreter forgets its state, too. */
static PyObject* orphans(PyObject* self, PyObject* args) {
  int n;
  long pause_us;
  (void)self;
  if (!PyArg_ParseTuple(args, "il", &n, &pause_us)) return NULL;
  for (int i = 0; i < n; ++i) {
    struct orphan orphan = {PyThreadState_New(PyInterpreterState_Get()), PyThread_allocate_lock(),
                            PyThread_allocate_lock()};
    PyThread_acquire_lock(orphan.gate, WAIT_LOCK);
    PyThread_acquire_lock(orphan.ready, WAIT_LOCK);
    pthread_t thread = hostile_spawn(live_on, &orphan);
    Py_BEGIN_ALLOW_THREADS;
    PyThread_acquire_lock(orphan.ready, WAIT_LOCK);
    Py_END_ALLOW_THREADS;
    PyThreadState_Clear(orphan.state);
    PyThreadState_Delete(orphan.state);
    Py_BEGIN_ALLOW_THREADS;
    hostile_sleep_us(pause_us);
    PyThread_release_lock(orphan.gate);
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS;
    PyThread_release_lock(orphan.ready);
    PyThread_free_lock(orphan.ready);
    PyThread_free_lock(orphan.gate);
  }
  Py_RETURN_NONE;
}

/* swaps(n): this thread goes to and fro between its own state and others that it makes. */
static PyObject* swaps(PyObject* self, PyObject* args) {
  int n;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &n)) return NULL;
  for (int i = 0; i < n; ++i) {
    PyThreadState* other = PyThreadState_New(PyInterpreterState_Get());
    PyThreadState* own = PyThreadState_Swap(other);
    PyRun_SimpleString("sum(range(10))");
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    PyThreadState_Swap(own);
    PyThreadState_Clear(other);
    PyThreadState_Delete(other);
  }
  Py_RETURN_NONE;
}

static void* enter_once(void* argument) {
  PyThreadState* state = PyThreadState_New(argument);
  PyEval_AcquireThread(state);
  PyRun_SimpleString("sum(range(10))");
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
  return NULL;
}

static void* ensure_nested(void* argument) {
  (void)argument;
  PyGILState_STATE outer = PyGILState_Ensure();
  PyGILState_STATE inner = PyGILState_Ensure();
  PyRun_SimpleString("sum(range(10))");
  PyGILState_Release(inner);
  PyThreadState* state = PyEval_SaveThread();
  hostile_sleep_us(50);
  PyEval_RestoreThread(state);
  PyGILState_Release(outer);
  return NULL;
}

/* visitors(n): n native threads, four at a time, enter the interpreter in the two usual ways. */
static PyObject* visitors(PyObject* self, PyObject* args) {
  int n;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &n)) return NULL;
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  Py_BEGIN_ALLOW_THREADS;
  for (int done = 0; done < n; done += 4) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i)
      threads[i] = hostile_spawn(i % 2 ? enter_once : ensure_nested, interpreter);
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  }
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

/* reenter(callable): native code that gives up the GIL, enters Python again and calls. */
static PyObject* reenter(PyObject* self, PyObject* callable) {
  PyObject* result;
  (void)self;
  Py_BEGIN_ALLOW_THREADS;
  PyGILState_STATE state = PyGILState_Ensure();
  result = PyObject_CallNoArgs(callable);
  PyGILState_Release(state);
  Py_END_ALLOW_THREADS;
  return result;
}

PyMethodDef hostile_states[] = {
    {"reenter", reenter, METH_O, NULL},
    {"orphans", orphans, METH_VARARGS, NULL},
    {"swaps", swaps, METH_VARARGS, NULL},
    {"visitors", visitors, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
