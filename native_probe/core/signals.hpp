// Keeps the program's signal handlers out of the calling thread.
#pragma once

#include <signal.h>

namespace gilscope {

// A thread that is interrupted while it makes space ready keeps others waiting; and with a timer
// that is fast enough, what a signal interrupts is never done. SIGBUS is not held back: the kernel
// ends a program that cannot be told of a page that is gone.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    done_ = pthread_sigmask(SIG_SETMASK, &all, &before_) == 0;
  }
  ~SignalsBlocked() {
    if (done_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
  bool done_ = false;
};

}  // namespace gilscope
