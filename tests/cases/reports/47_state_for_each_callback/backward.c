// Native threads call Python for each node; each call makes a thread state, or each thread one.
#include <Python.h>
#include <pthread.h>
static PyObject *callback;
static int polite;
static void *run(void *unused) {
  PyGILState_STATE outer = PyGILState_UNLOCKED;
  PyThreadState *own = NULL;
  if (polite) {
    outer = PyGILState_Ensure();
    own = PyEval_SaveThread();
  }
  for (int i = 0; i < 20000; ++i) {
    PyGILState_STATE state = PyGILState_Ensure();
    Py_XDECREF(PyObject_CallNoArgs(callback));
    PyGILState_Release(state);
  }
  if (polite) {
    PyEval_RestoreThread(own);
    PyGILState_Release(outer);
  }
  return unused;
}
static PyObject *backward(PyObject *self, PyObject *args) {
  pthread_t thread;
  if (!PyArg_ParseTuple(args, "Op", &callback, &polite)) return NULL;
  Py_BEGIN_ALLOW_THREADS
  pthread_create(&thread, NULL, run, NULL);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"backward", backward, METH_VARARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "backward", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_backward(void) { return PyModuleDef_Init(&module); }
