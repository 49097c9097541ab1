// The same extension, which says that it works without the GIL.
#include <Python.h>
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fresh", 0, 0, 0, slots};
PyMODINIT_FUNC PyInit_fresh(void) { return PyModuleDef_Init(&module); }
