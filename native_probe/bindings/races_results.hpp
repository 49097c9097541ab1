// What a session has found, as Python objects. Each function returns a new reference, or nullptr
// with an exception set.
#pragma once

#include <Python.h>

#include "cpython/races_session.hpp"

namespace gilscope::races::results {

// All that is out of order: a list of tuples.
PyObject* found(Session& session);
// Where each lock was first acquired by the program: number -> (code, offset).
PyObject* locks(const Session& session);
// The code objects that were watched.
PyObject* codes(const Session& session);
// Numbers by name.
PyObject* counts(Session& session);
// How often each plan held a thread, and how often another one came by meanwhile.
PyObject* meetings(const Session& session);

}  // namespace gilscope::races::results
