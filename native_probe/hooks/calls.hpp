// Hooks for the functions by which native code calls Python objects: they tell what a callback
// runs.
#pragma once

#include <vector>

#include "core/got_patcher.hpp"

namespace gilscope::hooks::calls {

std::vector<Hook> hooks();

// Not 0 while the calling thread is in a callback whose callable is not known yet: only then is
// there anything to do in a call.
void set_wanted(bool wanted);

}  // namespace gilscope::hooks::calls
