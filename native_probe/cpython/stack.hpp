// The calling thread's stack as a definition of the trace.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/session.hpp"
#include "cpython/copied_frames.h"

namespace gilscope::stack {

// A STACK of the calling thread: native frames above the interpreter (core/native_stack.hpp), then
// its Python frames. Works while the thread is detached; never looks at another thread. 0 when
// there is none or it cannot be read. `frame` is the frame address of the hook.
std::uint32_t capture(Recording& recording, const void* frame);

// The same with the native frames that were found already: where the calling thread was interrupted
// in native code that is not the interpreter's.
std::uint32_t capture_behind(Recording& recording, const void* const* native, std::size_t count);

// A STACK of these native frames and these Python frames.
std::uint32_t define_copied(Session& session, const void* const* native, std::size_t count,
                            const gilscope_frame_copies& copies);

}  // namespace gilscope::stack
