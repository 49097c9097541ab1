// A callback is registered in a subinterpreter; a native thread calls it.
#include <Python.h>
#include <pthread.h>
static PyObject *callback;
static PyInterpreterState *owner;
static int polite;
static void fire(void) {
  if (polite) {
    PyThreadState *state = PyThreadState_New(owner);
    PyEval_AcquireThread(state);
    Py_XDECREF(PyObject_CallNoArgs(callback));
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
  } else {
    PyGILState_STATE state = PyGILState_Ensure();
    Py_XDECREF(PyObject_CallNoArgs(callback));
    PyGILState_Release(state);
  }
}
static void *run(void *unused) {
  for (int i = 0; i < 50; ++i) fire();
  return unused;
}
static PyObject *subscribe(PyObject *self, PyObject *args) {
  PyObject *f;
  if (!PyArg_ParseTuple(args, "Op", &f, &polite)) return NULL;
  callback = Py_NewRef(f);
  owner = PyInterpreterState_Get();
  pthread_t thread;
  Py_BEGIN_ALLOW_THREADS
  pthread_create(&thread, NULL, run, NULL);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS
  Py_CLEAR(callback);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"subscribe", subscribe, METH_VARARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "events", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_events(void) { return PyModuleDef_Init(&module); }
