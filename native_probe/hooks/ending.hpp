// Native threads that ask for the GIL while the interpreter ends. Python then ends such a thread
// inside the call, or has it wait for ever, whatever C++ frames lie below: often the process is
// aborted, so what is seen is written at once.
#pragma once

#include <string>

namespace gilscope::hooks::ending {

// Once, after the last session of a process whose program is over and whose trace is this file:
// from now on, what is seen is added to it. Without the GIL: it takes the loader's lock.
void watch(const std::string& trace);

}  // namespace gilscope::hooks::ending
