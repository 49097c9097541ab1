// What a thread's slot in the trace says of the wait that it is in, for who reads the file while,
// or after, it waits. Only the slot's own thread writes it.
#pragma once

#include <cstdint>

#include "core/format.hpp"

namespace gilscope::shown_wait {

// `start` last: a reader that sees it sees the rest.
inline void begin(format::ThreadSlot& slot, format::EventKind kind, std::uint32_t what,
                  std::uint32_t peer, std::uint8_t flags, std::uint32_t stack,
                  std::uint64_t start) {
  slot.open_wait_kind = static_cast<std::uint32_t>(kind);
  slot.open_wait_what = what;
  slot.open_wait_peer = peer;
  slot.open_wait_flags = flags;
  slot.open_wait_stack = stack;
  __atomic_store_n(&slot.open_wait, start, __ATOMIC_RELEASE);
}

// What was not known when the wait began.
inline void set_peer(format::ThreadSlot& slot, std::uint32_t peer) { slot.open_wait_peer = peer; }
inline void set_stack(format::ThreadSlot& slot, std::uint32_t stack) {
  slot.open_wait_stack = stack;
}

inline void end(format::ThreadSlot& slot) {
  slot.open_wait = 0;
  slot.open_wait_stack = 0;
}

inline bool is_open(const format::ThreadSlot& slot) {
  return __atomic_load_n(&slot.open_wait, __ATOMIC_ACQUIRE) != 0;
}
inline bool is_open(const format::ThreadSlot& slot, format::EventKind kind) {
  return is_open(slot) && slot.open_wait_kind == static_cast<std::uint32_t>(kind);
}

}  // namespace gilscope::shown_wait
