#include "hooks/locks.hpp"

#include <cerrno>

#include "core/session.hpp"
#include "cpython/lock_identity.hpp"
#include "cpython/own_state.hpp"
#include "cpython/parking.hpp"
#include "cpython/stack.hpp"
#include "cpython/waits.h"
#include "hooks/interpreter.hpp"
#include "hooks/open_wait.hpp"

namespace gilscope::hooks::locks {
namespace {

using format::EventKind;
using format::LockKind;
using parking::Waited;
namespace flag = format::lock_wait_flag;

// After the real wait.
void end(OpenWait& wait, const Waited& waited, int result, int error) {
  if (result != 0) {
    wait.end(error == EINTR ? flag::kInterrupted : flag::kTimedOut);
  } else {
    wait.end(waited.handed_off != nullptr && *waited.handed_off == 1 ? flag::kHandedOff : 0);
  }
}

Waited begin(OpenWait& wait, const sem_t* semaphore, const void* caller, const char* frame) {
  const OwnState own;
  Waited waited = parking::classify(semaphore, caller, frame);
  if (waited.kind == LockKind::object && !classes.object) waited = Waited{};
  Recording recording;
  if (!recording || !wait.can_begin(recording)) return waited;
  const std::uint64_t start = Clock::ticks();
  OpenWait::What what;
  what.stack = stack::capture(recording, frame);
  what.what = lock_identity::find(recording, waited, what.stack);
  what.ended_on = semaphore;
  wait.begin(recording, what, start);
  return waited;
}

// Whether a signal has come since the thread gave the GIL up, whose handler in Python runs when the
// wait ends. The real wait would not be interrupted by it any more, and end late or never: what the
// hooks took before it must not lose a signal. Once only: the interpreter may want to wait on.
bool signal_came() {
  __attribute__((tls_model("initial-exec"))) static thread_local bool told = false;
  const bool waits = gilscope_signal_waits() != 0;
  const bool came = waits && !told;
  told = waits;
  return came;
}

template <typename RealWait>
__attribute__((always_inline)) inline int hooked(sem_t* semaphore, const void* caller,
                                                 const char* frame, RealWait real) {
  if (!classes.parked || Session::active() == nullptr) return real();
  const int error = errno;
  if (!parking::on_own_stack(semaphore, frame)) {
    // The semaphore is a lock and it is free: no contention, nothing to record.
    if (sem_trywait(semaphore) == 0) return 0;
    errno = error;
    if (!classes.thread_lock) return real();
  }
  OpenWait wait;
  const Waited waited = begin(wait, semaphore, caller, frame);
  errno = error;
  int result = -1;
  if (signal_came()) {
    errno = EINTR;
  } else {
    result = real();
  }
  const int after = errno;
  if (wait.is_open()) end(wait, waited, result, after);
  errno = after;
  return result;
}

void record_post(const sem_t* semaphore, const void* caller, const void* frame) {
  Recording recording;
  if (!recording) return;
  const WaitTable::Woken woken = recording.session().waits().posting(
      semaphore, recording.log().index, parking::is_wakeup(caller));
  if (!woken.any) return;
  const std::uint64_t now = Clock::ticks();
  recording.emit(EventKind::lock_wake, 0, 0, woken.lock, now, 0, woken.waiter,
                 stack::capture(recording, frame));
}

}  // namespace

// The hooks are the functions that the interpreter calls, so the return address and the frame
// address are taken here and not in a function that may be inlined or not.
int wait(sem_t* semaphore) {
  return hooked(semaphore, __builtin_return_address(0),
                static_cast<const char*>(__builtin_frame_address(0)),
                [=] { return sem_wait(semaphore); });
}

int init(sem_t* semaphore, int shared, unsigned value) {
  const int result = sem_init(semaphore, shared, value);
  const auto* frame = static_cast<const char*>(__builtin_frame_address(0));
  // A PyThread_type_lock, which some RLocks have; the parking lot makes its own for each wait.
  if (classes.thread_lock && result == 0 && value == 1 &&
      !parking::on_own_stack(semaphore, frame)) {
    const int error = errno;
    lock_identity::created(reinterpret_cast<std::uintptr_t>(semaphore), frame);
    errno = error;
  }
  return result;
}

int timedwait(sem_t* semaphore, const timespec* until) {
  return hooked(semaphore, __builtin_return_address(0),
                static_cast<const char*>(__builtin_frame_address(0)),
                [=] { return sem_timedwait(semaphore, until); });
}

int clockwait(sem_t* semaphore, clockid_t clock, const timespec* until) {
  return hooked(semaphore, __builtin_return_address(0),
                static_cast<const char*>(__builtin_frame_address(0)),
                [=] { return sem_clockwait(semaphore, clock, until); });
}

int post(sem_t* semaphore) {
  if (classes.parked) {
    // Before the real post: the semaphore dies as soon as the waiter has seen it.
    const int error = errno;
    record_post(semaphore, __builtin_return_address(0), __builtin_frame_address(0));
    errno = error;
  }
  return sem_post(semaphore);
}

}  // namespace gilscope::hooks::locks
