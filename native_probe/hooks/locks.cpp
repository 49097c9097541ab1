#include "hooks/locks.hpp"

#include <cerrno>

#include "core/session.hpp"
#include "cpython/lock_identity.hpp"
#include "cpython/parking.hpp"
#include "cpython/stack.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope::hooks::locks {
namespace {

using format::EventKind;
using format::LockKind;
using parking::Waited;

// One wait, from before the real call to after it. The session may have been stopped, and another
// one started, while the thread slept: then there is nothing to write to any more.
class Wait {
 public:
  Wait(const sem_t* semaphore, const Waited& waited, const void* frame)
      : handed_off_(waited.handed_off) {
    Recording recording;
    if (!recording) return;
    start_ = Clock::ticks();
    stack_ = stack::capture(recording, frame);
    lock_ = lock_identity::find(recording, waited, stack_);
    entry_ = recording.session().waits().claim(semaphore, recording.log().index, lock_);
    session_ = recording.session().id();
    format::ThreadSlot& slot = recording.slot();
    slot.open_wait_kind = static_cast<std::uint32_t>(EventKind::lock_wait);
    slot.open_wait_what = lock_;
    slot.open_wait_peer = 0;
    slot.open_wait_stack = stack_;
    __atomic_store_n(&slot.open_wait, start_, __ATOMIC_RELEASE);
  }

  void finish(int result, int error) {
    const std::uint64_t end = Clock::ticks();
    if (session_ == 0) return;
    Recording recording;
    if (!recording || recording.session().id() != session_) return;
    std::uint32_t ender = entry_ != nullptr ? WaitTable::release(entry_) : 0;
    std::uint8_t flags = 0;
    if (result != 0) {
      ender = 0;
      flags =
          error == EINTR ? format::lock_wait_flag::kInterrupted : format::lock_wait_flag::kTimedOut;
    } else if (handed_off_ != nullptr && *handed_off_ == 1) {
      flags = format::lock_wait_flag::kHandedOff;
    }
    recording.slot().open_wait = 0;
    recording.slot().open_wait_stack = 0;
    recording.emit(EventKind::lock_wait, flags, 0, lock_, start_, end - start_, ender, stack_);
  }

 private:
  const int* handed_off_;
  WaitTable::Entry* entry_ = nullptr;
  std::uint64_t session_ = 0;
  std::uint64_t start_ = 0;
  std::uint32_t lock_ = 0;
  std::uint32_t stack_ = 0;
};

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
  Waited waited = parking::classify(semaphore, caller, frame);
  if (waited.kind == LockKind::object && !classes.object) waited = Waited{};
  Wait wait(semaphore, waited, frame);
  errno = error;
  const int result = real();
  const int after = errno;
  wait.finish(result, after);
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
