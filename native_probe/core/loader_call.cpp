#include "core/loader_call.hpp"

#include <time.h>

#include <atomic>

namespace gilscope {
namespace {

constexpr long kStep = 50'000;           // ns
constexpr long kPatience = 200'000'000;  // ns

std::atomic<int> calls{0};  // under way, of all threads
std::atomic<int> forks{0};
thread_local int own_calls = 0;
thread_local int own_forks = 0;

template <typename Condition>
void wait_while(Condition condition) {
  const timespec step{0, kStep};
  for (long waited = 0; condition() && waited < kPatience; waited += kStep) {
    nanosleep(&step, nullptr);
  }
}

}  // namespace

LoaderCall::LoaderCall() {
  ++own_calls;
  ++calls;
  if (!must_wait()) return;
  --calls;
  wait_while(must_wait);
  ++calls;
}

LoaderCall::~LoaderCall() {
  --calls;
  --own_calls;
}

bool LoaderCall::must_wait() {
  // A thread that forks, or that is in such a call already, does not wait.
  return forks != 0 && own_forks == 0 && own_calls <= 1;
}

void LoaderCall::before_fork() {
  ++own_forks;
  ++forks;
  // A destructor of the program that runs in our dlclose() may fork.
  wait_while([] { return calls > own_calls; });
}

void LoaderCall::after_fork_in_parent() {
  --forks;
  --own_forks;
}

void LoaderCall::after_fork_in_child() {
  forks = 0;
  own_forks = 0;
  calls = own_calls;
}

}  // namespace gilscope
