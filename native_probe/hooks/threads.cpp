#include "hooks/threads.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

#include "core/session.hpp"

namespace gilscope::hooks::threads {
namespace {

struct Start {
  void* (*routine)(void*);
  void* argument;
  format::ThreadFlag origin;
  pid_t starter;
};

constexpr std::size_t kMostStarted = 512;

struct Slot {
  std::atomic<pid_t> tid;  // written last: 0 while the others are not there
  std::atomic<pid_t> starter;
  std::atomic<std::uintptr_t> routine;
};

std::array<Slot, kMostStarted> slots;
std::atomic<std::size_t> started_count;

pid_t own_tid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void note(const Start& start) {
  const std::size_t place = started_count.fetch_add(1, std::memory_order_relaxed);
  if (place >= kMostStarted) {
    return;
  }
  Slot& slot = slots.at(place);
  slot.starter.store(start.starter, std::memory_order_relaxed);
  slot.routine.store(reinterpret_cast<std::uintptr_t>(start.routine), std::memory_order_relaxed);
  slot.tid.store(own_tid(), std::memory_order_release);
}

void* run(void* data) {
  const Start start = *static_cast<Start*>(data);
  delete static_cast<Start*>(data);
  ThreadLogs::set_origin(start.origin);
  if (start.origin == format::kNativeThread) {
    note(start);
  }
  {
    const Recording joins_the_session;
  }
  return start.routine(start.argument);
}

int create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
           void* argument, format::ThreadFlag origin) {
  {
    Recording recording;
    if (recording) recording.session().gets_threads();
  }
  const pid_t starter = origin == format::kNativeThread ? own_tid() : 0;
  auto* start = Session::active() != nullptr ? new (std::nothrow)
                                                   Start{routine, argument, origin, starter}
                                             : nullptr;
  if (start == nullptr) return pthread_create(thread, attributes, routine, argument);
  const int result = pthread_create(thread, attributes, run, start);
  if (result != 0) delete start;
  return result;
}

}  // namespace

int create_python(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument) {
  return create(thread, attributes, routine, argument, format::kPythonThread);
}

int create_native(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument) {
  return create(thread, attributes, routine, argument, format::kNativeThread);
}

std::vector<Started> take_started() {
  const std::size_t count = std::min(started_count.load(std::memory_order_relaxed), kMostStarted);
  std::vector<Started> found;
  for (std::size_t place = 0; place < count; ++place) {
    Slot& slot = slots.at(place);
    const pid_t tid = slot.tid.exchange(0, std::memory_order_acquire);
    if (tid != 0) {
      found.push_back({tid, slot.starter.load(std::memory_order_relaxed),
                       slot.routine.load(std::memory_order_relaxed)});
    }
  }
  started_count.store(0, std::memory_order_relaxed);
  return found;
}

}  // namespace gilscope::hooks::threads
