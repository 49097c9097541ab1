// What the stand-ins of a watch for the order of locks have in common.
#pragma once

#include <cerrno>
#include <cstdint>

#include "cpython/order_session.hpp"

namespace gilscope::order::native {

class ErrnoKept {
 public:
  ErrnoKept() : value_(errno) {}
  ~ErrnoKept() { errno = value_; }
  ErrnoKept(const ErrnoKept&) = delete;
  ErrnoKept& operator=(const ErrnoKept&) = delete;

 private:
  int value_;
};

inline std::uintptr_t number(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address);
}

// Calls `body(session, thread)` if there is a session and the thread is not in it already.
template <typename Body>
void record(Body body) {
  Session* session = Session::active();
  if (session == nullptr) return;
  const ErrnoKept kept;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (inside) body(*session, *thread);
}

}  // namespace gilscope::order::native
