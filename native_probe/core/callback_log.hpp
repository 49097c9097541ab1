// A thread's way in and out of Python, as far as native code goes it. Plain data; what it means is
// decided in hooks/callbacks.cpp.
#pragma once

#include <cstdint>

namespace gilscope {

struct CallbackLog {
  static constexpr std::uint32_t kMaxDepth = 15;

  // The family of functions by which a thread entered or left Python.
  enum class By : std::uint8_t { none, ensure, thread, state, swap };

  // An open callback; the first level lies below all callbacks.
  struct Level {
    std::uint64_t start;       // ticks of the request to get in
    std::uint64_t getting_in;  // ticks
    const void* state;         // the thread state that it came in with
    const void* python_frame;  // innermost Python frame then
    std::uintptr_t frame;      // of the hook by which it came in
    // A thread state that was given up inside this level and is expected back, and the frame of the
    // hook by which it was.
    const void* released;
    std::uintptr_t released_frame;
    std::uint32_t entry;
    std::uint32_t callable;
    std::int32_t counter;  // uses of the thread state, as bindings count them, then
    std::uint8_t flags;
    By by;
    By released_by;
    std::uint8_t looks;  // calls that may still be looked at to find what it runs
    bool counts;         // its binding counts uses of the thread state
    bool perhaps_left;   // its record is pending in the thread's log
  };

  std::uint64_t session;   // to which all of this belongs
  std::uint32_t depth;     // index of the innermost level
  std::uint32_t overflow;  // uses of PyGILState_Ensure deeper than that
  bool native;             // below its callbacks, this thread is outside Python
  const void* made;        // thread state that was made here last
  std::uint64_t made_at;
  const void* cleared;  // thread state that was cleared here last
  std::uint64_t cleared_at;
  std::uint64_t clearing;  // ticks
  Level levels[kMaxDepth + 1];
};

}  // namespace gilscope
