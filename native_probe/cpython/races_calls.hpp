// Calls of the methods of containers, and of functions that look into one.
#pragma once

#include "cpython/races_variables.hpp"

namespace gilscope::races {

// Looks up the methods; -1 with an exception set where that fails.
int initialize_calls();

// The event is a call with `arguments` arguments, the last `keywords` of them by name, whose
// callable is `below` places below the top.
void touch_call(Event& event, int below, int arguments, int keywords = 0);

}  // namespace gilscope::races
