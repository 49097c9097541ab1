// Threads, locks and the GIL as native code uses them, through the slots of loaded objects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gilscope::order::native {

// Hooks all loaded objects, and those that are loaded later. False: the interpreter's own threads
// cannot be seen. `gil` is the address of the interpreter's; 0: it has none.
bool install(std::uintptr_t gil);
// Puts everything back; returns how many slots could not be.
std::size_t remove();
void after_fork_in_child();

}  // namespace gilscope::order::native
