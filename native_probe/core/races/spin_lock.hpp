// A lock for a few dozen instructions. Nobody who holds one calls into the interpreter.
#pragma once

#include <sched.h>

#include <atomic>

namespace gilscope::races {

class SpinLock {
 public:
  void lock() {
    while (held_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  __attribute__((noinline, cold)) void wait() {
    for (int i = 0; held_.load(std::memory_order_relaxed); ++i) {
      if (i >= 64) sched_yield();
    }
  }

  std::atomic<bool> held_{false};
};

}  // namespace gilscope::races
