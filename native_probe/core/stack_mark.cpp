#include "core/stack_mark.hpp"

#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace gilscope {
namespace {

// A signal handler may run on a stack of its own, which can lie anywhere.
bool on_alternate_stack() {
  stack_t stack{};
  return sigaltstack(nullptr, &stack) != 0 || (stack.ss_flags & SS_ONSTACK) != 0;
}

}  // namespace

bool StackMark::outlives(std::uintptr_t other) const {
  // Nearer than the stacks of two threads or of a handler are.
  constexpr std::uintptr_t kSameStack = std::uintptr_t{64} << 10;
  // No two marks can be at one place.
  if (other == address() || is_gone(other)) return true;
  // What the stack has left below it is over, whether it has been written over or not.
  return address() > other && address() - other < kSameStack && !on_alternate_stack();
}

bool StackMark::is_gone(std::uintptr_t other) {
  if (other == kForEver) return false;
  // By way of the kernel: the stack itself may be gone.
  std::uintptr_t word = 0;
  const iovec local{&word, sizeof word};
  const iovec remote{reinterpret_cast<void*>(other), sizeof word};
  const int error = errno;
  const ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  const bool gone = n == sizeof word ? word != (other ^ kSalt) : errno == EFAULT;
  errno = error;
  return gone;
}

}  // namespace gilscope
