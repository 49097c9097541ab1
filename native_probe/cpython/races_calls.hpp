// Calls of the methods of containers, and of functions that look into one.
#pragma once

#include "cpython/races_variables.hpp"

namespace gilscope::races {

// The event is a call with `arguments` arguments whose callable is `below` places below the top.
// `names`: a tuple with the names of the last ones, or nullptr.
void touch_call(Event& event, int below, int arguments, PyObject* names = nullptr);
// dict.update(), and |= of a dict.
void touch_update(Event& event, PyObject* dict, PyObject* from, PyObject* names = nullptr);

}  // namespace gilscope::races
