// The wait that a thread is in.
#pragma once

#include <cstdint>

#include "core/session.hpp"

namespace gilscope::hooks {

// One wait, from before the real call to after it, however it ends: by returning, by an unwinding
// of the stack (the thread is cancelled or exits in a signal handler, an exception) or by
// siglongjmp(), which the thread's next wait finds out. The session may have been stopped, and
// another one started, meanwhile: then there is nothing to write to any more.
class OpenWait {
 public:
  OpenWait() = default;
  OpenWait(const OpenWait&) = delete;
  OpenWait& operator=(const OpenWait&) = delete;
  ~OpenWait() {
    if (is_open()) end(format::lock_wait_flag::kInterrupted);
  }

  struct What {
    format::EventKind kind = format::EventKind::lock_wait;
    std::uint8_t flags = 0;
    std::uint32_t what = 0;
    std::uint32_t peer = 0;
    std::uint32_t stack = 0;
    const int* owner = nullptr;      // the word of the lock that says that `peer` holds it
    const void* ended_on = nullptr;  // who posts or signals this ends the wait
  };
  // False where the thread is in a wait already: a signal handler runs in the middle of that one.
  // Then the rest does nothing.
  bool can_begin(Recording& recording) const;
  // After can_begin(), in the same hook.
  void begin(Recording& recording, const What& what, std::uint64_t start);
  // Where the stack is captured only then.
  void set_stack(Recording& recording, std::uint32_t stack);
  bool is_open() const { return session_ != 0; }

  // Writes the record.
  void end(std::uint8_t more_flags) { close(more_flags, true); }
  // The request was wrong: there was no wait.
  void forget() { close(0, false); }

 private:
  void close(std::uint8_t more_flags, bool writes);

  std::uint64_t session_ = 0;
  std::uint64_t start_ = 0;
  What what_;
  WaitTable::Entry* entry_ = nullptr;
  StackMark mark_;
};

}  // namespace gilscope::hooks
