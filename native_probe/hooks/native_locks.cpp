#include "hooks/native_locks.hpp"

#include <time.h>

#include <cerrno>

#include "core/lock_definition.hpp"
#include "cpython/stack.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/open_wait.hpp"

// std::condition_variable::wait(std::unique_lock<std::mutex>&). It is a function of libstdc++,
// which calls pthread_cond_wait() itself; timed waits are inline and call pthread_cond_clockwait().
extern "C" void gilscope_condition_variable_wait(void* condition, void* lock) __asm__(
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
extern "C" void gilscope_condition_variable_notify_one(void* condition) __asm__(
    "_ZNSt18condition_variable10notify_oneEv");
extern "C" void gilscope_condition_variable_notify_all(void* condition) __asm__(
    "_ZNSt18condition_variable10notify_allEv");

// A lock that is free is taken by the function that only tries, which does then what the other one
// would have done: it costs no time stamp, and nothing of the probe is touched. What it answers
// instead of EBUSY is what the other one answers (EOWNERDEAD is a lock that was taken, EAGAIN one
// that was taken too often). At EBUSY the other one is called, which has the last word: a lock that
// its own thread holds already gives EDEADLK there.
namespace gilscope::hooks::native_locks {
namespace {

using format::EventKind;
using format::LockKind;
namespace flag = format::lock_wait_flag;

// Where a word of the lock says which thread holds it: its tid, 0 for none.
using Owner = const int*;

int owner_now(Owner owner) {
  return owner != nullptr ? __atomic_load_n(owner, __ATOMIC_RELAXED) : 0;
}

// The time stamp lies between two looks at the owner that show the same one: it held the lock then.
struct Held {
  std::uint64_t since;
  int by;
};
Held held(Owner owner) {
  const int before = owner_now(owner);
  const std::uint64_t since = Clock::ticks();
  return {since, owner_now(owner) == before ? before : 0};
}

// Whether no thread has waited for the lock with this stack. Each place may be one where the debug
// information tells which lock it is.
bool is_first_there(Session& session, std::uint32_t lock, std::uint32_t stack) {
  const std::uint64_t key = mix(std::uint64_t{lock} << 32 | stack);
  std::atomic<std::uint64_t>* place = session.lock_places().waits.find(key);
  return place != nullptr && place->exchange(1, std::memory_order_relaxed) == 0;
}

void begin(OpenWait& wait, LockKind kind, const void* lock, Owner owner, std::uint8_t flags,
           const void* frame) {
  if (!classes.native || !ThreadLogs::needs_no_memory()) return;
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (!recording || !wait.can_begin(recording)) return;
  Session& session = recording.session();
  const Held start = held(owner);
  LockIdentity identity;
  identity.kind = kind;
  identity.address = reinterpret_cast<std::uintptr_t>(lock);
  OpenWait::What what;
  const LockTable::Found found = find_nameless_lock(session, identity);
  what.what = found.id;
  what.peer = session.index_of(static_cast<std::uint32_t>(start.by));
  what.owner = owner;
  what.flags = flags | (what.peer != 0 ? flag::kHolder : 0);
  if (kind == LockKind::native_condition) what.ended_on = lock;
  wait.begin(recording, what, start.since);
  const std::uint32_t stack = stack::capture(recording, frame);
  wait.set_stack(recording, stack);
  if (is_first_there(session, found.id, stack)) define_first_wait(session, found.id, stack);
}

int finish(OpenWait& wait, int result) {
  switch (result) {
    case 0:
    case EOWNERDEAD: wait.end(0); break;
    case ETIMEDOUT: wait.end(flag::kTimedOut); break;
    case ECANCELED: wait.end(flag::kInterrupted); break;
    default: wait.forget();
  }
  return result;
}

// Not in the hooks themselves, which stay as small as they can be.
template <typename Real>
__attribute__((noinline, cold)) int mutex_wait(const pthread_mutex_t* mutex, const void* frame,
                                               Real real) {
  OpenWait wait;
  begin(wait, LockKind::native_mutex, mutex, &mutex->__data.__owner, 0, frame);
  return finish(wait, real());
}

template <typename Real>
__attribute__((noinline, cold)) int rwlock_wait(const pthread_rwlock_t* lock, std::uint8_t flags,
                                                const void* frame, Real real) {
  OpenWait wait;
  // The lock does not identify its readers.
  begin(wait, LockKind::native_rwlock, lock, &lock->__data.__cur_writer, flags, frame);
  return finish(wait, real());
}

template <typename Real>
int cond_wait(const void* condition, const void* frame, Real real) {
  OpenWait wait;
  begin(wait, LockKind::native_condition, condition, nullptr, 0, frame);
  return finish(wait, real());
}

// Before the real signal: after it the waiter may be gone.
__attribute__((noinline)) void signalled(const void* condition, const void* frame) {
  if (!classes.native || !ThreadLogs::needs_no_memory()) return;
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (!recording) return;
  const WaitTable::Woken woken =
      recording.session().waits().signalling(condition, recording.log().index);
  if (!woken.any) return;
  recording.emit(EventKind::lock_wake, 0, 0, woken.lock, Clock::ticks(), 0, woken.waiter,
                 stack::capture(recording, frame));
}

// A wrong time is an error even where the lock is free, in some of the functions and some versions:
// the real one decides.
bool is_valid(const timespec* until) {
  return until != nullptr && until->tv_nsec >= 0 && until->tv_nsec < 1'000'000'000;
}

bool is_valid(clockid_t clock, const timespec* until) {
  return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && is_valid(until);
}

int mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
  if (!is_valid(until)) return pthread_mutex_timedlock(mutex, until);
  const int result = pthread_mutex_trylock(mutex);
  if (result != EBUSY) return result;
  return mutex_wait(mutex, __builtin_frame_address(0),
                    [=] { return pthread_mutex_timedlock(mutex, until); });
}

int mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  if (!is_valid(clock, until)) return pthread_mutex_clocklock(mutex, clock, until);
  const int result = pthread_mutex_trylock(mutex);
  if (result != EBUSY) return result;
  return mutex_wait(mutex, __builtin_frame_address(0),
                    [=] { return pthread_mutex_clocklock(mutex, clock, until); });
}

int read_lock(pthread_rwlock_t* lock) {
  const int result = pthread_rwlock_tryrdlock(lock);
  if (__builtin_expect(result != EBUSY, 1)) return result;
  return rwlock_wait(lock, flag::kShared, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_rdlock(lock); });
}

int read_timedlock(pthread_rwlock_t* lock, const timespec* until) {
  if (!is_valid(until)) return pthread_rwlock_timedrdlock(lock, until);
  const int result = pthread_rwlock_tryrdlock(lock);
  if (result != EBUSY) return result;
  return rwlock_wait(lock, flag::kShared, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_timedrdlock(lock, until); });
}

int read_clocklock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
  if (!is_valid(clock, until)) return pthread_rwlock_clockrdlock(lock, clock, until);
  const int result = pthread_rwlock_tryrdlock(lock);
  if (result != EBUSY) return result;
  return rwlock_wait(lock, flag::kShared, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_clockrdlock(lock, clock, until); });
}

int write_lock(pthread_rwlock_t* lock) {
  const int result = pthread_rwlock_trywrlock(lock);
  if (__builtin_expect(result != EBUSY, 1)) return result;
  return rwlock_wait(lock, 0, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_wrlock(lock); });
}

int write_timedlock(pthread_rwlock_t* lock, const timespec* until) {
  if (!is_valid(until)) return pthread_rwlock_timedwrlock(lock, until);
  const int result = pthread_rwlock_trywrlock(lock);
  if (result != EBUSY) return result;
  return rwlock_wait(lock, 0, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_timedwrlock(lock, until); });
}

int write_clocklock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
  if (!is_valid(clock, until)) return pthread_rwlock_clockwrlock(lock, clock, until);
  const int result = pthread_rwlock_trywrlock(lock);
  if (result != EBUSY) return result;
  return rwlock_wait(lock, 0, __builtin_frame_address(0),
                     [=] { return pthread_rwlock_clockwrlock(lock, clock, until); });
}

int condition_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  return cond_wait(condition, __builtin_frame_address(0),
                   [=] { return pthread_cond_wait(condition, mutex); });
}

int condition_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  return cond_wait(condition, __builtin_frame_address(0),
                   [=] { return pthread_cond_timedwait(condition, mutex, until); });
}

int condition_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                        const timespec* until) {
  return cond_wait(condition, __builtin_frame_address(0),
                   [=] { return pthread_cond_clockwait(condition, mutex, clock, until); });
}

// The native handle is the condition variable's first and only member.
void condition_variable_wait(void* condition, void* lock) {
  cond_wait(condition, __builtin_frame_address(0), [=] {
    gilscope_condition_variable_wait(condition, lock);
    return 0;
  });
}

int condition_signal(pthread_cond_t* condition) {
  signalled(condition, __builtin_frame_address(0));
  return pthread_cond_signal(condition);
}

int condition_broadcast(pthread_cond_t* condition) {
  signalled(condition, __builtin_frame_address(0));
  return pthread_cond_broadcast(condition);
}

void notify_one(void* condition) {
  signalled(condition, __builtin_frame_address(0));
  gilscope_condition_variable_notify_one(condition);
}

void notify_all(void* condition) {
  signalled(condition, __builtin_frame_address(0));
  gilscope_condition_variable_notify_all(condition);
}

template <typename Replacement, typename Real>
Hook hook(std::string_view symbol, Replacement* replacement, Real* real) {
  return {symbol, reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(real)};
}

}  // namespace

int mutex_lock(pthread_mutex_t* mutex) {
  const int result = pthread_mutex_trylock(mutex);
  if (__builtin_expect(result != EBUSY, 1)) return result;
  return mutex_wait(mutex, __builtin_frame_address(0), [=] { return pthread_mutex_lock(mutex); });
}

std::vector<Hook> hooks() {
  return {
      hook("pthread_mutex_lock", mutex_lock, pthread_mutex_lock),
      hook("pthread_mutex_timedlock", mutex_timedlock, pthread_mutex_timedlock),
      hook("pthread_mutex_clocklock", mutex_clocklock, pthread_mutex_clocklock),
      hook("pthread_rwlock_rdlock", read_lock, pthread_rwlock_rdlock),
      hook("pthread_rwlock_timedrdlock", read_timedlock, pthread_rwlock_timedrdlock),
      hook("pthread_rwlock_clockrdlock", read_clocklock, pthread_rwlock_clockrdlock),
      hook("pthread_rwlock_wrlock", write_lock, pthread_rwlock_wrlock),
      hook("pthread_rwlock_timedwrlock", write_timedlock, pthread_rwlock_timedwrlock),
      hook("pthread_rwlock_clockwrlock", write_clocklock, pthread_rwlock_clockwrlock),
      hook("pthread_cond_wait", condition_wait, pthread_cond_wait),
      hook("pthread_cond_timedwait", condition_timedwait, pthread_cond_timedwait),
      hook("pthread_cond_clockwait", condition_clockwait, pthread_cond_clockwait),
      hook("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", condition_variable_wait,
           gilscope_condition_variable_wait),
      hook("pthread_cond_signal", condition_signal, pthread_cond_signal),
      hook("pthread_cond_broadcast", condition_broadcast, pthread_cond_broadcast),
      hook("_ZNSt18condition_variable10notify_oneEv", notify_one,
           gilscope_condition_variable_notify_one),
      hook("_ZNSt18condition_variable10notify_allEv", notify_all,
           gilscope_condition_variable_notify_all),
  };
}

}  // namespace gilscope::hooks::native_locks
