// Threads, locks and the GIL as native code uses them, through the slots of loaded objects.
#pragma once

#include <cstddef>

namespace gilscope::order::native {

// Hooks all loaded objects, and those that are loaded later. False: the interpreter's own threads
// cannot be seen.
bool install();
// Puts everything back; returns how many slots could not be.
std::size_t remove();
void after_fork_in_child();

}  // namespace gilscope::order::native
