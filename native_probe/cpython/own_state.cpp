#include "cpython/own_state.hpp"

#include <sched.h>

#include <ctime>

#include "core/session.hpp"
#include "cpython/thread_state.h"

namespace gilscope {
namespace {

// ns; far more than anybody reads. A thread that a debugger holds in the middle of it keeps nobody.
constexpr std::uint64_t kPatience = 1'000'000'000;

// Facts from another session do not count: nothing was recorded in between.
void forget_other_sessions(ThreadLog& log, std::uint64_t session) {
  if (log.own_session == session) return;
  log.own_state.store(nullptr);
  log.lost_state.store(nullptr);
  log.left_state = nullptr;
  log.own_session = session;
}

// Whether the thread state is this thread's, and alive until the log says that no thread reads it.
bool is_own(ThreadLog& log, const void* state) {
  if (log.left_state == state) return false;
  if (log.own_state.load() == state) return true;
  if (log.lost_state.load() == state) return false;
  // While one is just going nothing can be said.
  const std::uint64_t before = ThreadLogs::ends_begun_.load();
  if (ThreadLogs::ends_done_.load() != before) return false;
  // First what those see who begin from now on, then the look at the list.
  log.own_state.store(state);
  if (gilscope_is_listed(state) != 0 && ThreadLogs::ends_begun_.load() == before) return true;
  log.own_state.store(nullptr);
  return false;
}

void wait_for_reader(const ThreadLog& log, const void* state) {
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  for (const void* read = log.reading.load(); read != nullptr; read = log.reading.load()) {
    if (state != nullptr && read != state) return;
    if (StackMark::is_gone(log.reader.load()) || nanoseconds(CLOCK_MONOTONIC) > deadline) return;
    sched_yield();
  }
}

// Takes it (nullptr: all of them) away from all other threads, and waits for those that read it.
void take_from_others(const void* state) {
  const ThreadLog* own = ThreadLogs::current();
  const std::uint32_t tid = state != nullptr ? gilscope_tid_of_state(state) : 0;
  ThreadLogs::for_each([=](ThreadLog& log) {
    if (&log == own) return;
    const void* seen = log.own_state.load();
    if (seen != nullptr && (state == nullptr || seen == state)) {
      log.own_state.compare_exchange_strong(seen, nullptr);
    }
    // A thread may be taking the log just now: what it is told of a state that it never had is
    // true.
    const bool same = __atomic_load_n(&log.tid, __ATOMIC_RELAXED) == tid;
    if (state != nullptr && (seen == state || same)) log.lost_state.store(state);
    wait_for_reader(log, state);
  });
}

bool owns(const ThreadLog& log, const void* state) {
  return log.own_session == Session::active_id() &&
         log.own_state.load(std::memory_order_relaxed) == state;
}

}  // namespace

OwnState::OwnState() {
  ThreadLog* log = ThreadLogs::current();
  const std::uint64_t session = Session::active_id();
  if (session == 0 || log == nullptr || log == ThreadLogs::exited()) return;
  const void* state = gilscope_bound_state();
  if (state == nullptr) return;
  // Reads already: within another scope, which need not be the same hook's.
  if (log->reading.load(std::memory_order_relaxed) != nullptr &&
      !mark_.outlives(log->reader.load())) {
    return;
  }
  forget_other_sessions(*log, session);
  log->reader.store(mark_.address());
  log->reading.store(state);
  if (!is_own(*log, state)) {
    log->reading.store(nullptr);
    return;
  }
  log_ = log;
  gilscope_set_readable_state(state);
}

OwnState::~OwnState() {
  if (log_ == nullptr) return;
  gilscope_set_readable_state(nullptr);
  log_->reading.store(nullptr, std::memory_order_release);
}

namespace own_state {

void attaching(const void* state) {
  const ThreadLog* log = ThreadLogs::current();
  if (log == nullptr || owns(*log, state)) return;
  take_from_others(state);
}

void became_own(ThreadLog& log, std::uint64_t session, const void* state) {
  if (session == 0 || &log == ThreadLogs::exited()) return;
  forget_other_sessions(log, session);
  log.own_state.store(state, std::memory_order_relaxed);
  log.lost_state.store(nullptr, std::memory_order_relaxed);
}

End::End(const void* state) {
  ThreadLog* log = ThreadLogs::current();
  is_own_ = state != nullptr && log != nullptr && owns(*log, state);
  if (is_own_) {
    log->own_state.store(nullptr);
    return;
  }
  ThreadLogs::ends_begun_.fetch_add(1);
  take_from_others(state);
}

End::~End() {
  if (!is_own_) ThreadLogs::ends_done_.fetch_add(1);
}

}  // namespace own_state
}  // namespace gilscope
