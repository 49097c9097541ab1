/* A native thread that calls Python in the interpreter that its module is imported in. */
#include <Python.h>
#include <pthread.h>

struct work {
  PyInterpreterState* interpreter;
  PyObject* function;
  int times;
};

static void call(PyObject* function) {
  PyObject* result = PyObject_CallNoArgs(function);
  if (result == NULL) PyErr_WriteUnraisable(function);
  Py_XDECREF(result);
}

static void* own_thread(void* data) {
  const struct work* work = data;
  PyThreadState* state = PyThreadState_New(work->interpreter);
  for (int i = 0; i < work->times; ++i) {
    PyEval_RestoreThread(state);
    call(work->function);
    state = PyEval_SaveThread();
  }
  PyEval_RestoreThread(state);
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
  return NULL;
}

static PyObject* fire(PyObject* module, PyObject* args) {
  (void)module;
  struct work work = {PyInterpreterState_Get(), NULL, 0};
  if (!PyArg_ParseTuple(args, "Oi", &work.function, &work.times)) return NULL;
  pthread_t thread;
  Py_BEGIN_ALLOW_THREADS if (pthread_create(&thread, NULL, own_thread, &work) == 0)
      pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"fire", fire, METH_VARARGS, "Call a function so often."}, {NULL}};
static PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "per_interpreter", NULL, 0, methods, slots};

PyMODINIT_FUNC PyInit_per_interpreter(void) { return PyModuleDef_Init(&definition); }
