// Where native code enters Python: ENTRY definitions.
#pragma once

#include <cstdint>

#include "core/session.hpp"

namespace gilscope::hooks::entries {

// The ENTRY of the native code that called the hook with this frame address; 0 when it is not
// known.
std::uint32_t find(Recording& recording, const void* frame);

// The session is over and its file still mapped: names the native code of the trace, and finds for
// each ENTRY the function behind the binding's own, and which binding that is.
void resolve(Session& session);

}  // namespace gilscope::hooks::entries
