// Identifies the lock that a thread waits for, and its name in the program.
#pragma once

#include <cstdint>

#include "core/lock_definition.hpp"
#include "core/session.hpp"

namespace gilscope::lock_identity {

// The LOCK definition of what the calling thread is about to wait for at this place. The thread is
// what keeps the object alive: a name is looked for here and now, once a place.
std::uint32_t find(Recording& recording, const LockIdentity& lock, std::uint32_t stack);

// A lock has been made at this address, by the calling thread. `frame` is the frame address of the
// hook.
void created(std::uintptr_t address, const void* frame);
// Before a session records.
void begin_session();

// Names the threading locks that are left without a name by the line that made them, where
// tracemalloc has seen it. While their ends are being counted, with a thread state attached.
void name_allocations(Session& session);

}  // namespace gilscope::lock_identity
