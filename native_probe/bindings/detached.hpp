// Runs code without the GIL, and re-attaches its thread.
#pragma once

#include <functional>

namespace gilscope {

// Runs `body` with the thread state detached, and attaches it again, also after an exception. Where
// the interpreter has ended meanwhile, CPython 3.13 ends the thread as pthread_exit() does, by
// unwinding its stack, and later versions let it hang: so no destructor attaches a thread state
// (that would be std::terminate), and callers keep nothing that needs one to be given back.
void without_gil(const std::function<void()>& body);

}  // namespace gilscope
