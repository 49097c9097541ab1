// An extension that does not say whether it works without the GIL.
#include <Python.h>
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "old", 0, 0, 0, slots};
PyMODINIT_FUNC PyInit_old(void) { return PyModuleDef_Init(&module); }
