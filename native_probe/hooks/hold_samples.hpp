// Where threads are that hold the GIL for long while others wait for it: the stacks of their native
// code, taken then.
//
// The thread that waits looks at the holder. If that one sleeps, its stack does not change and is
// read from here. If it has a processor, a timer on its own processor time interrupts it: such a
// timer expires only while the thread runs, and its signal is sent when the thread returns from the
// kernel (since Linux 5.10), so no system call of the program is ever interrupted by it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "core/session.hpp"

namespace gilscope::hooks::hold_samples {

inline constexpr std::size_t kMostGils = 256;

struct Holder {
  pid_t tid = 0;
  std::uint32_t thread = 0;     // its index
  std::uint32_t gil = 0;        // id
  const void* state = nullptr;  // its thread state
  bool asked = false;           // another thread has asked it to release the GIL
  const void* mutex = nullptr;  // the GIL's: it waits for that one when it is about to release
};

// Before a session becomes active: takes the signal, if the program does not use it. What cannot be
// had is defined as not measured.
void begin_session(Session& session);
// After it has ended and no thread is inside a hook.
void end_session();
// In a forked child, which has no session.
void after_fork_in_child();

// Takes the stack of a thread that holds the GIL and cannot release it before this returns: at
// once, or when it is interrupted, which is soon unless it stops running. With the GIL's mutex
// held.
void look(Recording& recording, const Holder& holder);

// Whether the calling thread, which is about to release the GIL, has had a processor for long since
// it was first seen to have been asked for it: then it ran native code. Python code releases it in
// microseconds, however long it has no processor. With the GIL's mutex held.
bool kept(std::uint32_t gil);

// The hold is over: a signal that comes later is of no use, and the program may have a handler
// then. With the GIL's mutex held.
void stop(std::uint32_t gil);

}  // namespace gilscope::hooks::hold_samples
