/* The ways in which native code gets into Python and out again, each a known number of times.
 * Compiled by the tests for each interpreter; it knows nothing of the probe. */
#define _GNU_SOURCE
#include <Python.h>
#include <pthread.h>
#include <setjmp.h>

/* What a native thread does n times. */
struct work {
  void (*way)(struct work* work);
  PyObject* callable;
  long n;
  double sum; /* of what the callable gave back, where it matters */
};

static void call(struct work* work) {
  PyObject* result = PyObject_CallNoArgs(work->callable);
  if (result == NULL) PyErr_Clear();
  Py_XDECREF(result);
}

/* A new thread state each time. */
__attribute__((noinline)) static void ensure(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    call(work);
    PyGILState_Release(entered);
  }
}

/* One thread state for all of them: one callback around the others. */
static void ensure_inside(struct work* work) {
  const PyGILState_STATE entered = PyGILState_Ensure();
  PyThreadState* state = PyEval_SaveThread();
  ensure(work);
  PyEval_RestoreThread(state);
  PyGILState_Release(entered);
}

/* Each of them gives the GIL up for a while, and asks for it while it has it. */
static void ensure_with_sections(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    const PyGILState_STATE again = PyGILState_Ensure();
    call(work);
    PyGILState_Release(again);
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    PyGILState_Release(entered);
  }
}

static PyThreadState* made(void) {
  return PyThreadState_New(PyInterpreterState_Main());
}

static void destroy_current(PyThreadState* state) {
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
}

/* As the documentation has it; the last one, which calls nothing, destroys the thread state. */
static void acquire(struct work* work) {
  PyThreadState* state = made();
  for (long i = 0; i < work->n; ++i) {
    PyEval_AcquireThread(state);
    call(work);
    PyEval_ReleaseThread(state);
  }
  PyEval_AcquireThread(state);
  destroy_current(state);
}

static void acquire_with_sections(struct work* work) {
  PyThreadState* state = made();
  for (long i = 0; i < work->n; ++i) {
    PyEval_AcquireThread(state);
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    call(work);
    PyEval_ReleaseThread(state);
  }
  PyEval_AcquireThread(state);
  destroy_current(state);
}

static void restore(struct work* work) {
  PyThreadState* state = made();
  for (long i = 0; i < work->n; ++i) {
    PyEval_RestoreThread(state);
    call(work);
    state = PyEval_SaveThread();
  }
  PyEval_RestoreThread(state);
  destroy_current(state);
}

static void swap(struct work* work) {
  PyThreadState* state = made();
  for (long i = 0; i < work->n; ++i) {
    PyThreadState_Swap(state);
    call(work);
    PyThreadState_Swap(NULL);
  }
  PyThreadState_Swap(state);
  destroy_current(state);
}

/* pybind11's gil_scoped_acquire: takes the thread's state, makes one if there is none, and counts
 * its uses. */
static void scoped(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    PyThreadState* state = PyGILState_GetThisThreadState();
    if (state == NULL) {
      state = made();
      state->gilstate_counter = 0;
    }
    PyEval_AcquireThread(state);
    ++state->gilstate_counter;
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    call(work);
    if (--state->gilstate_counter == 0) {
      destroy_current(state);
    } else {
      PyEval_SaveThread();
    }
  }
}

static void scoped_inside(struct work* work) {
  const PyGILState_STATE entered = PyGILState_Ensure();
  PyThreadState* state = PyEval_SaveThread();
  scoped(work);
  PyEval_RestoreThread(state);
  PyGILState_Release(entered);
}

/* A callback that is left by a jump, without a word to the interpreter, and then others. */
static jmp_buf outside;

static void jump(struct work* work) {
  PyGILState_Ensure();
  call(work);
  longjmp(outside, 1);
}

static void abandon(struct work* work) {
  if (setjmp(outside) == 0) jump(work);
  PyThreadState* state = PyEval_SaveThread();
  ensure(work);
  PyEval_RestoreThread(state);
  PyGILState_Release(PyGILState_UNLOCKED);
}

/* Ends in the middle of its callback. */
static void end_inside(struct work* work) {
  PyGILState_Ensure();
  call(work);
  PyEval_SaveThread();
  pthread_exit(NULL);
}

/* Calls that take arguments in registers of both kinds and on the stack. */
static void arguments(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyObject* result = PyObject_CallFunction(work->callable, "ididididdd", 1, 0.5, 2, 0.25, 3,
                                             0.125, 4, 8.0, 16.0, 32.0);
    if (result != NULL) work->sum += PyFloat_AsDouble(result);
    PyErr_Clear();
    Py_XDECREF(result);
    PyGILState_Release(entered);
  }
}

static void method(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyObject* result = PyObject_CallMethod(work->callable, "method", "dd", 0.5, 0.25);
    if (result != NULL) work->sum += PyFloat_AsDouble(result);
    PyErr_Clear();
    Py_XDECREF(result);
    PyGILState_Release(entered);
  }
}

static void method_with_objects(struct work* work) {
  for (long i = 0; i < work->n; ++i) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyObject* name = PyUnicode_FromString("method");
    PyObject* one = PyFloat_FromDouble(0.5);
    PyObject* result = PyObject_CallMethodObjArgs(work->callable, name, one, one, NULL);
    if (result != NULL) work->sum += PyFloat_AsDouble(result);
    PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(one);
    Py_XDECREF(name);
    PyGILState_Release(entered);
  }
}

static const struct {
  const char* name;
  void (*way)(struct work* work);
} ways[] = {
    {"ensure", ensure},
    {"ensure_inside", ensure_inside},
    {"ensure_with_sections", ensure_with_sections},
    {"acquire", acquire},
    {"acquire_with_sections", acquire_with_sections},
    {"restore", restore},
    {"swap", swap},
    {"scoped", scoped},
    {"scoped_inside", scoped_inside},
    {"abandon", abandon},
    {"end_inside", end_inside},
    {"arguments", arguments},
    {"method", method},
    {"method_with_objects", method_with_objects},
};

static void* native_main(void* data) {
  struct work* work = data;
  work->way(work);
  return NULL;
}

static int parse(PyObject* args, struct work* work) {
  const char* name;
  if (!PyArg_ParseTuple(args, "sOl", &name, &work->callable, &work->n)) return 0;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
    if (strcmp(name, ways[i].name) == 0) work->way = ways[i].way;
  }
  if (work->way == NULL) PyErr_SetString(PyExc_ValueError, name);
  return work->way != NULL;
}

/* in_thread(way, callable, n): a native thread does it. Gives back the sum of the results. */
static PyObject* in_thread(PyObject* self, PyObject* args) {
  (void)self;
  struct work work = {0};
  if (!parse(args, &work)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  pthread_t thread;
  pthread_create(&thread, NULL, native_main, &work);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(work.sum);
}

/* here(way, callable, n): the calling thread itself does it, having given up the GIL. */
static PyObject* here(PyObject* self, PyObject* args) {
  (void)self;
  struct work work = {0};
  if (!parse(args, &work)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  work.way(&work);
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(work.sum);
}

/* attached(callable, n): asks for the GIL while it has it. */
static PyObject* attached(PyObject* self, PyObject* args) {
  (void)self;
  struct work work = {.way = ensure};
  if (!PyArg_ParseTuple(args, "Ol", &work.callable, &work.n)) return NULL;
  ensure(&work);
  Py_RETURN_NONE;
}

/* forever(): a native thread that makes callbacks until the process ends. */
static void* forever_main(void* data) {
  struct work work = {.way = ensure, .callable = data, .n = 1};
  for (;;) ensure(&work);
  return NULL;
}

static PyObject* forever(PyObject* self, PyObject* callable) {
  (void)self;
  pthread_t thread;
  if (pthread_create(&thread, NULL, forever_main, Py_NewRef(callable)) != 0) {
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  pthread_detach(thread);
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"attached", attached, METH_VARARGS, NULL},
    {"forever", forever, METH_O, NULL},
    {"here", here, METH_VARARGS, NULL},
    {"in_thread", in_thread, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "callback_stage",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_callback_stage(void) { return PyModuleDef_Init(&module); }
