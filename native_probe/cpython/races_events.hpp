// The callbacks of sys.monitoring.
#pragma once

#include <Python.h>

#include "cpython/races_variables.hpp"

namespace gilscope::races::events {

// sys.monitoring.DISABLE, and set_local_events with the arguments that come before the code object.
int initialize(PyObject* disable);
// What makes a code object's instructions be seen: called with the code object.
void set_watcher(PyObject* watch);

// Of each code object that begins to run, once: (code, offset).
PyObject* on_start(PyObject* module, PyObject* const* arguments, Py_ssize_t count);
// Before each instruction of a code object that is watched: (code, offset).
// Notes what the event's instruction is about to do.
void dispatch(Event& event);

PyObject* on_instruction(PyObject* module, PyObject* const* arguments, Py_ssize_t count);
// An object that is called as this is; an exception is set when it is nullptr.
PyObject* make_callback();

}  // namespace gilscope::races::events
