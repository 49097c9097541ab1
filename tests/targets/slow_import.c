/* A module whose creation keeps the GIL for more than a millisecond, if there is one. */
#define _GNU_SOURCE
#include <Python.h>
#include <time.h>

static PyObject* create(PyObject* spec, PyModuleDef* definition) {
  (void)spec;
  (void)definition;
  const struct timespec little = {0, 1200000};
  nanosleep(&little, NULL);
  return PyModule_New("slow_import");
}

static PyModuleDef_Slot slots[] = {{Py_mod_create, (void*)create},
#ifdef Py_GIL_DISABLED
                                   {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                   {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "slow_import", .m_slots = slots};

PyMODINIT_FUNC PyInit_slow_import(void) { return PyModuleDef_Init(&definition); }
