/* Benchmark helper: nanoseconds of what happens most often, in loops without Python in them. */
#include <Python.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* pair(n): an uncontended PyEval_SaveThread and PyEval_RestoreThread. */
static PyObject* pair(PyObject* module, PyObject* count) {
  long n = PyLong_AsLong(count);
  if (n <= 0) return PyErr_Occurred() ? NULL : PyFloat_FromDouble(0);
  double begin = now_ns();
  for (long i = 0; i < n; ++i) PyEval_RestoreThread(PyEval_SaveThread());
  return PyFloat_FromDouble((now_ns() - begin) / (double)n);
}

/* two_stamps(n): two time stamps of the processor, the floor of what recording a pair costs. */
static PyObject* two_stamps(PyObject* module, PyObject* count) {
  long n = PyLong_AsLong(count);
  if (n <= 0) return PyErr_Occurred() ? NULL : PyFloat_FromDouble(0);
#if defined(__x86_64__)
  volatile unsigned long long sink;
  double begin = now_ns();
  for (long i = 0; i < n; ++i) {
    sink = __rdtsc();
    sink = __rdtsc();
  }
  (void)sink;
  return PyFloat_FromDouble((now_ns() - begin) / (double)n);
#else
  return PyFloat_FromDouble(0);
#endif
}

static PyMethodDef methods[] = {
    {"pair", pair, METH_O, NULL}, {"two_stamps", two_stamps, METH_O, NULL}, {NULL}};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "pairs", NULL, 0, methods, slots};

PyMODINIT_FUNC PyInit_pairs(void) { return PyModuleDef_Init(&definition); }
