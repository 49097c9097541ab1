// Locks that are variables of loaded objects: statics and globals of native code, by their symbols.
#pragma once

#include "core/session.hpp"

namespace gilscope::hooks::static_locks {

// Names the locks of this session that lie in a loaded object and have no other name. Reads the
// objects' files; without the GIL, while the objects are kept loaded.
void name(Session& session);

}  // namespace gilscope::hooks::static_locks
