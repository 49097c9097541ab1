/* What the parts of the module share. */
#ifndef GILSCOPE_TESTS_STAGE_H
#define GILSCOPE_TESTS_STAGE_H

#include <Python.h>

/* slots() -> [(file, symbol, address, word)] of every relocation slot of every loaded object. */
PyObject* stage_slots(PyObject* self, PyObject* args);

#endif
