// A timer thread of a C library: nobody ever stops it.
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
static atomic_int quit;
static pthread_t thread;
static PyObject *callback;
static void notify(void) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *result = PyObject_CallNoArgs(callback);
  if (!result) PyErr_Clear();
  Py_XDECREF(result);
  PyGILState_Release(state);
}
static void *run(void *unused) {
  struct timespec pause = {0, 200000};
  PyGILState_STATE outer = PyGILState_Ensure();  // one thread state for all callbacks
  PyThreadState *own = PyEval_SaveThread();
  while (!atomic_load(&quit)) {
    notify();
    nanosleep(&pause, NULL);
  }
  PyEval_RestoreThread(own);
  PyGILState_Release(outer);
  return unused;
}
static PyObject *start(PyObject *self, PyObject *f) {
  callback = Py_NewRef(f);
  pthread_create(&thread, NULL, run, NULL);
  Py_RETURN_NONE;
}
static PyObject *stop(PyObject *self, PyObject *unused) {
  atomic_store(&quit, 1);
  Py_BEGIN_ALLOW_THREADS
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"start", start, METH_O, 0}, {"stop", stop, METH_NOARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ticker", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_ticker(void) { return PyModuleDef_Init(&module); }
