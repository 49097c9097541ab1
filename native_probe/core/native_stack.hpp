// Native code on the calling thread's stack, and what it is called.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/session.hpp"

namespace gilscope::native_stack {

// Return addresses into objects that are neither the interpreter nor the C library nor the probe,
// the innermost first, from `frame` (a hook's frame address) up to where the interpreter called
// native code. At most `capacity`; returns how many. Nothing that is not proved to be a frame.
std::size_t capture(const void* frame, const void** addresses, std::size_t capacity);

// The SITE definition of a return address; 0 when there is no room for it.
std::uint32_t site(Session& session, const void* address);

}  // namespace gilscope::native_stack
