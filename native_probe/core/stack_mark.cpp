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

// The word at an address, which may lie on a stack that is gone. In the page that this very
// function runs on it can be read as it is, which is where marks of one thread mostly are; all else
// is copied by the kernel, in a microsecond or two. False with errno where that cannot be.
__attribute__((noinline, no_sanitize("address", "thread"))) bool copy_word(std::uintptr_t from,
                                                                           std::uintptr_t* word) {
  constexpr std::uintptr_t kLeastPage = 4096;
  const volatile char here = 0;
  const auto own = reinterpret_cast<std::uintptr_t>(&here);
  if (from % sizeof *word == 0 && from / kLeastPage == own / kLeastPage) {
    *word = *reinterpret_cast<const volatile std::uintptr_t*>(from);
    return true;
  }
  const iovec local{word, sizeof *word};
  const iovec remote{reinterpret_cast<void*>(from), sizeof *word};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof *word;
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
  std::uintptr_t word = 0;
  const int error = errno;
  const bool gone = copy_word(other, &word) ? word != (other ^ kSalt) : errno == EFAULT;
  errno = error;
  return gone;
}

}  // namespace gilscope
