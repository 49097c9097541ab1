// Where another thread of this process sleeps in the kernel, found without waking it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/native_stack.hpp"

namespace gilscope::sleeping_stack {

// A sleep of a thread, as the kernel describes it.
struct Sleep {
  native_stack::Registers registers;  // the frame pointer is not known
  long call = -1;                     // number of the system call; -1: it sleeps outside of one
  std::uintptr_t argument = 0;        // the first one of the call
  std::uint64_t slices = 0;           // how often it had been given a processor before
};

// Whether the thread sleeps, and where. Callable in a hook: no memory, no lock of ours; errno
// stays.
bool look(pid_t tid, Sleep* sleep);

// Whether it has not run since that look, so that its stack is what it was all the time.
bool still_in(pid_t tid, const Sleep& sleep);

// Whether the thread blocks a signal (of the first 31), or it cannot be told.
bool holds_back(pid_t tid, int signal);

}  // namespace gilscope::sleeping_stack
