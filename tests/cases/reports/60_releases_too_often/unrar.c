// The GIL is released around each of many short steps, or once for all of them: each takes a third of a millisecond, which is
// longer than a thread takes to wake up and take the GIL.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static volatile unsigned state;
static void mix(void) {
  for (int i = 0; i < 300000; ++i) state = state * 31 + i;
}
static PyObject *derive_key(PyObject *self, PyObject *args) {
  int rounds, together;
  if (!PyArg_ParseTuple(args, "ip", &rounds, &together)) return NULL;
  if (together) {
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < rounds; ++i) mix();
    Py_END_ALLOW_THREADS
  } else {
    for (int i = 0; i < rounds; ++i) {
      Py_BEGIN_ALLOW_THREADS
      mix();
      Py_END_ALLOW_THREADS
    }
  }
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"derive_key", derive_key, METH_VARARGS, 0}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "unrar", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_unrar(void) { return PyModuleDef_Init(&module); }
