// A setter that gives the GIL up, to avoid a deadlock, and lets go of the old handler without it.
#include <Python.h>
#include <pthread.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static PyObject *handler;
static PyObject *set_handler(PyObject *self, PyObject *args) {
  PyObject *wanted, *old;
  int polite;
  if (!PyArg_ParseTuple(args, "Op", &wanted, &polite)) return NULL;
  Py_INCREF(wanted);
  Py_BEGIN_ALLOW_THREADS
  pthread_mutex_lock(&lock);
  old = handler;
  handler = wanted;
  pthread_mutex_unlock(&lock);
  if (!polite) Py_XDECREF(old);
  Py_END_ALLOW_THREADS
  if (polite) Py_XDECREF(old);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"set_handler", set_handler, METH_VARARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "session", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_session(void) { return PyModuleDef_Init(&module); }
