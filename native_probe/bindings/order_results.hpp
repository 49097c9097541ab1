// What a watch for the order of locks recorded, as Python objects.
#pragma once

#include <Python.h>

#include "cpython/order_session.hpp"

namespace gilscope::order::results {

Kind kind_of(const char* word);
// A dict; the session is over.
PyObject* all(Session& session);

}  // namespace gilscope::order::results
