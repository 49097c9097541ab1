// The thread state that the calling thread may look into while it is detached.
//
// The interpreter keeps, for each thread, the thread state that was last attached there. Others may
// attach that one, clear it or delete it, and the interpreter tells the thread nothing. So a hook
// reads it only after it has been found alive, and while the thread says that it reads it: then
// whoever is about to clear, delete or attach a thread state that another thread reads waits until
// that one is done, some microseconds.
//
// A thread state is found alive
// - by the hooks of the functions that native code attaches thread states with, or
// - in the interpreter's own list of them, under the lock without which none is taken out.
// It is not any more when native code takes it away (all functions that do are hooked), or gives it
// up itself with no Python code under way in it: nothing says that it comes back for it.
#pragma once

#include "core/thread_log.hpp"

namespace gilscope {

// For the length of a scope, what cpython/own_state.h answers is safe to look into.
class OwnState {
 public:
  OwnState();
  ~OwnState();
  OwnState(const OwnState&) = delete;
  OwnState& operator=(const OwnState&) = delete;

 private:
  ThreadLog* log_ = nullptr;
  StackMark mark_;
};

namespace own_state {

// Before the calling thread attaches a thread state that it has not made itself.
void attaching(const void* state);
void became_own(ThreadLog& log, std::uint64_t session, const void* state);
// The calling thread has it attached; with the log of the thread, and the active session's number.
inline void attached(ThreadLog& log, std::uint64_t session, const void* state) {
  log.left_state = nullptr;
  if (__builtin_expect(
          log.own_session == session && log.own_state.load(std::memory_order_relaxed) == state,
          1)) {
    return;
  }
  became_own(log, session, state);
}
// The calling thread is about to give its thread state up. `frame`: the innermost one of Python
// code that is under way in it, or nullptr.
inline void giving_up(ThreadLog& log, const void* state, const void* frame) {
  if (frame == nullptr) log.left_state = state;
}

// Around the destruction or clearing of a thread state, or (nullptr) of any number of them.
class End {
 public:
  explicit End(const void* state);
  ~End();
  End(const End&) = delete;
  End& operator=(const End&) = delete;

 private:
  bool is_own_ = false;  // nobody else reads it
};

}  // namespace own_state
}  // namespace gilscope
