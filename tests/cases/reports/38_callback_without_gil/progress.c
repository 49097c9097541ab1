// A long call gives the GIL up and reports progress to Python without taking it back.
#include <Python.h>
#include <time.h>
static PyObject *process(PyObject *self, PyObject *args) {
  PyObject *log;
  int polite;
  if (!PyArg_ParseTuple(args, "Op", &log, &polite)) return NULL;
  PyObject *step = PyLong_FromLong(100000);
  Py_BEGIN_ALLOW_THREADS
  for (int i = 0; i < 100; ++i) {
    struct timespec pause = {0, 100000};
    nanosleep(&pause, NULL);
    if (polite) Py_BLOCK_THREADS
    PyList_Append(log, step);
    if (polite) Py_UNBLOCK_THREADS
  }
  Py_END_ALLOW_THREADS
  Py_DECREF(step);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"process", process, METH_VARARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "progress", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_progress(void) { return PyModuleDef_Init(&module); }
