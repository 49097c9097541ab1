// The calling thread's stack as a definition of the trace.
#pragma once

#include <cstdint>

#include "core/session.hpp"

namespace gilscope::stack {

// A STACK of the calling thread: native frames above the interpreter (core/native_stack.hpp), then
// its Python frames. Works while the thread is detached; never looks at another thread. 0 when
// there is none or it cannot be read. `frame` is the frame address of the hook.
std::uint32_t capture(Recording& recording, const void* frame);

}  // namespace gilscope::stack
