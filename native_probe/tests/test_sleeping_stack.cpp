// Other threads as the kernel describes them: asleep, since when, and with which signals blocked.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <thread>

#include "core/clock.hpp"
#include "core/sleeping_stack.hpp"
#include "harness.hpp"

namespace {

namespace sleeping_stack = gilscope::sleeping_stack;
using sleeping_stack::Sleep;

constexpr std::uint64_t kPatience = 20'000'000'000;  // ns

// A thread that reads bytes from a pipe until there are no more.
struct Reader {
  int ends[2] = {-1, -1};
  std::atomic<pid_t> tid{0};
  std::thread thread;

  explicit Reader(int blocked = 0) {
    CHECK(pipe(ends) == 0);
    thread = std::thread([this, blocked] {
      sigset_t set;
      sigemptyset(&set);
      if (blocked != 0) sigaddset(&set, blocked);
      pthread_sigmask(SIG_BLOCK, &set, nullptr);
      tid = static_cast<pid_t>(syscall(SYS_gettid));
      for (char byte = 0; read(ends[0], &byte, 1) == 1;) {
      }
    });
  }
  ~Reader() {
    close(ends[1]);
    thread.join();
    close(ends[0]);
  }

  // Waits until it sleeps in the read() with more slices than that.
  Sleep asleep(std::uint64_t slices = 0) const {
    const std::uint64_t end = gilscope::nanoseconds(CLOCK_MONOTONIC) + kPatience;
    while (gilscope::nanoseconds(CLOCK_MONOTONIC) < end) {
      Sleep sleep;
      if (tid != 0 && sleeping_stack::look(tid, &sleep) && sleep.call == SYS_read &&
          sleep.slices > slices) {
        return sleep;
      }
      sched_yield();
    }
    gilscope::testing::fail(__FILE__, __LINE__, "it does not sleep");
  }
};

}  // namespace

TEST("a thread that sleeps in a system call is found there") {
  const Reader reader;
  const Sleep sleep = reader.asleep();
  CHECK(sleep.argument == static_cast<std::uintptr_t>(reader.ends[0]));
  CHECK(sleep.registers.pc != 0);
  CHECK(sleep.registers.stack_pointer != 0);
  CHECK(sleeping_stack::still_in(reader.tid, sleep));
}

TEST("a thread that has run meanwhile is not in the same sleep") {
  const Reader reader;
  const Sleep sleep = reader.asleep();
  CHECK(write(reader.ends[1], "x", 1) == 1);
  reader.asleep(sleep.slices);
  CHECK(!sleeping_stack::still_in(reader.tid, sleep));
}

TEST("a signal that a thread blocks is told from one that it does not") {
  const Reader blocks{SIGURG};
  const Reader other;
  blocks.asleep();
  other.asleep();
  CHECK(sleeping_stack::holds_back(blocks.tid, SIGURG));
  CHECK(!sleeping_stack::holds_back(blocks.tid, SIGIO));
  CHECK(!sleeping_stack::holds_back(other.tid, SIGURG));
}
