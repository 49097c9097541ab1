#include "hooks/gil.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <mutex>
#include <new>
#include <string_view>

#include "core/native_stack.hpp"
#include "core/shown_wait.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/stack.hpp"
#include "hooks/hold_samples.hpp"
#include "hooks/installation.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/open_wait.hpp"

// How take_gil() and drop_gil() of Python/ceval_gil.c look from outside, the same in 3.13 to 3.15:
//   take: lock(mutex); while locked: timedwait(cond, mutex); lock(switch_mutex); locked = 1;
//         signal(switch_cond); unlock(switch_mutex); unlock(mutex)
//   drop: lock(mutex); locked = 0; signal(cond); unlock(mutex);
//         if asked to drop: lock(switch_mutex); wait(switch_cond, switch_mutex);
//         unlock(switch_mutex)
namespace gilscope::hooks::gil {
namespace {

using format::EventKind;
using format::EventRecord;

// Stacks are captured for what is longer than this. Waits that turn out to be shorter have one too
// where it cost no thread any time.
constexpr std::uint64_t kLongHold = 1'000'000;  // ns

// One GIL of the process. What is not atomic is read and written only while its mutex is held.
struct alignas(64) Gil {
  std::atomic<std::uintptr_t> state{0};  // struct _gil_runtime_state; 0: this place is free
  std::uint32_t id = 0;
  std::uint32_t holder = 0;
  std::uint32_t waiters = 0;
  int enabled = 0;  // as it was last seen; free-threaded builds only
  std::uint64_t released = 0;
  std::uint64_t looked = 0;  // ticks: when its holder was last looked at
  std::uint32_t looker = 0;  // thread that wakes up early to do so
  std::uint64_t looker_until = 0;
  std::int64_t interpreter = 0;
};

// The first one is the main interpreter's. A place is used again only after the session.
constexpr std::size_t kMaxGils = hold_samples::kMostGils;
Gil gils[kMaxGils];
std::atomic<std::size_t> gil_count{0};
std::mutex adding;

gilscope_gil_layout at{};
CodeRange handle_pending;
std::uint64_t long_hold = UINT64_MAX;  // ticks

__attribute__((noinline)) Gil* other_gil(std::uintptr_t state) {
  const std::size_t n = gil_count.load(std::memory_order_acquire);
  for (std::size_t i = 1; i < n; ++i) {
    if (gils[i].state.load(std::memory_order_relaxed) == state) return &gils[i];
  }
  return nullptr;
}

// The only one of nearly all programs is looked at first and inline.
__attribute__((always_inline)) inline Gil* gil_with(const void* member, std::size_t offset) {
  const std::uintptr_t state = reinterpret_cast<std::uintptr_t>(member) - offset;
  if (__builtin_expect(gils[0].state.load(std::memory_order_relaxed) == state, 1)) return gils;
  return gil_count.load(std::memory_order_acquire) > 1 ? other_gil(state) : nullptr;
}

const int& word_at(const Gil& gil, std::size_t offset) {
  return *reinterpret_cast<const int*>(gil.state.load(std::memory_order_relaxed) + offset);
}

bool is_locked(const Gil& gil) {
  return __atomic_load_n(&word_at(gil, at.locked), __ATOMIC_RELAXED) > 0;
}

bool is_taken(const pthread_mutex_t& mutex) {
  return __atomic_load_n(&mutex.__data.__lock, __ATOMIC_RELAXED) != 0;
}

int enabled(const Gil& gil) {
  return at.enabled == GILSCOPE_NO_MEMBER
             ? 0
             : __atomic_load_n(&word_at(gil, at.enabled), __ATOMIC_RELAXED);
}

// The thread state that holds, or last held, this GIL. drop_gil() puts the releasing thread state
// there before it takes the mutex, except for the last release of a thread state, which is never a
// forced one.
inline std::uintptr_t last_holder(const Gil& gil) {
  const auto* place = reinterpret_cast<const std::uintptr_t*>(
      gil.state.load(std::memory_order_relaxed) + at.last_holder);
  return __atomic_load_n(place, __ATOMIC_RELAXED);
}

// Whether that one has been asked to give it up.
inline bool drop_requested(const Gil& gil) {
  const std::uintptr_t holder = last_holder(gil);
  if (holder == 0) return false;
  const auto* breaker = reinterpret_cast<const std::uintptr_t*>(holder + at.eval_breaker);
  return (__atomic_load_n(breaker, __ATOMIC_RELAXED) & at.drop_request) != 0;
}

// Time stamps of two processors, taken in this order under one mutex, can be some nanoseconds out
// of order, since the processor may read its counter early. More than that is not ours to hide.
constexpr std::uint64_t kCounterSkew = 2048;  // ticks

std::uint64_t not_before(std::uint64_t now, std::uint64_t earlier) {
  return now < earlier && earlier - now < kCounterSkew ? earlier : now;
}

// The evaluation loop gives the GIL up in _Py_HandlePending() only, which is some calls away.
bool released_by_eval_loop(const void* frame) {
  constexpr std::size_t kCalls = 6;
  const void* callers[kCalls];
  const std::size_t n = native_stack::callers(frame, callers, kCalls);
  return std::any_of(callers, callers + n,
                     [](const void* caller) { return handle_pending.contains(caller); });
}

void define(Session& session, const Gil& gil) {
  session.file().define(
      format::GilBody{gil.id, 0, gil.state.load(std::memory_order_relaxed), gil.interpreter});
}

void define_left_out(Session& session) {
  session.file().define_not_measured("gil_of_later_interpreters",
                                     "a session tells 256 GILs apart, and there were more");
}

// Free-threaded builds switch the GIL on for the time of an import, or for good, and off again.
// Both are noticed when it is next taken or given up, which is at once.
__attribute__((noinline, cold)) void record_switch(Recording& recording, Gil& gil,
                                                   std::uint64_t now, int before, int after) {
  gil.enabled = after;
  std::uint8_t flags = 0;
  if (after == INT_MAX && before != INT_MAX) {
    flags = format::gil_switch_flag::kOn | format::gil_switch_flag::kPermanent;
  } else if (after != 0 && before == 0) {
    flags = format::gil_switch_flag::kOn;
  } else if (after == 0 && before != 0) {
    flags = format::gil_switch_flag::kOff;
  } else {
    return;
  }
  recording.emit(EventKind::gil_switch, flags, 0, gil.id, now, 0, recording.log().importing_module,
                 stack::capture(recording, __builtin_frame_address(0)));
  // What the loader brought last is named for one import only.
  if (after == 0 || after == INT_MAX) recording.log().importing_module = 0;
}

inline void note_switch(Recording& recording, Gil& gil, std::uint64_t now) {
  if (at.enabled == GILSCOPE_NO_MEMBER) return;
  const int after = enabled(gil);
  if (after != gil.enabled) record_switch(recording, gil, now, gil.enabled, after);
}

__attribute__((noinline)) void end_request(Recording& recording, Gil& gil, std::uint64_t now,
                                           std::uint8_t flags) {
  ThreadLog& log = recording.log();
  if (log.request != 0) {
    if (log.counted && gil.waiters != 0) --gil.waiters;
    if (log.after_forced) flags |= format::gil_wait_flag::kAfterForced;
    if (log.holds_wanted_lock) flags |= format::gil_wait_flag::kHoldsWantedLock;
    recording.emit(EventKind::gil_wait, flags, log.timeouts, gil.id, log.request,
                   now > log.request ? now - log.request : 0, log.holder, log.wait_stack);
    log.request = 0;
    log.timeouts = 0;
    log.holder = 0;
    log.wait_stack = 0;
    log.counted = false;
    shown_wait::end(recording.slot());
  }
  log.after_forced = false;
}

// Whether the GIL was switched on or off since it was last seen.
inline bool is_switched(const Gil& gil) {
  return at.enabled != GILSCOPE_NO_MEMBER && enabled(gil) != gil.enabled;
}

inline void begin_hold(ThreadLog& log, Gil& gil, std::uint64_t now) {
  format::ThreadSlot& slot = *log.slot;
  gil.holder = log.index;
  slot.open_gil = gil.id;
  slot.open_hold_flags = 0;
  log.holding_in = log.session_id;
  __atomic_store_n(&slot.open_hold, now, __ATOMIC_RELEASE);
}

inline void end_hold(ThreadLog& log, Gil& gil, std::uint64_t now) {
  log.slot->open_hold = 0;
  gil.holder = 0;
  gil.released = now;
}

void acquired(Gil& gil) {
  Recording recording;
  if (!recording) return;
  const std::uint64_t now = not_before(Clock::ticks(), gil.released);
  ThreadLog& log = recording.log();
  if (log.request != 0 || log.after_forced) end_request(recording, gil, now, 0);
  begin_hold(log, gil, now);
  note_switch(recording, gil, now);
}

// Signals `cond` itself, in between: who waits is woken first, and its way back takes longer than
// all that is done after that.
__attribute__((noinline)) int released(Gil& gil, pthread_cond_t* cond, const void* frame) {
  Recording recording;
  if (!recording) return pthread_cond_signal(cond);
  const std::uint64_t now = Clock::ticks();
  format::ThreadSlot& slot = recording.slot();
  const std::uint64_t since = slot.open_hold;
  recording.log().holding_in = 0;
  if (__builtin_expect(since == 0, 0)) {
    if (at.enabled != GILSCOPE_NO_MEMBER && enabled(gil) == 0) {
      // The GIL was switched off while this thread waited for it.
      end_request(recording, gil, now, format::gil_wait_flag::kNotAcquired);
    } else {
      // This thread took it before the session: it never asked, it was about to release.
      recording.log().request = 0;
      shown_wait::end(slot);
    }
    return pthread_cond_signal(cond);
  }
  auto flags = static_cast<std::uint8_t>(slot.open_hold_flags);
  if (__builtin_expect(drop_requested(gil), 0) && released_by_eval_loop(frame)) {
    flags |= format::hold_flag::kForced;
    recording.log().after_forced = true;
  }
  const std::uint64_t duration = now > since ? now - since : 0;
  if (gil.waiters != 0) flags |= format::hold_flag::kWanted;
  if (hold_samples::kept(gil.id)) flags |= format::hold_flag::kKept;
  EventRecord* hold = recording.emit(EventKind::gil_hold, flags, 0, gil.id, since, duration, 0, 0);
  end_hold(recording.log(), gil, now);
  hold_samples::stop(gil.id);
  if (__builtin_expect(gil.waiters == 0 && duration < long_hold, 1)) {
    note_switch(recording, gil, now);
    return pthread_cond_signal(cond);
  }
  const int result = pthread_cond_signal(cond);
  const ErrnoKeeper keep_errno;
  if (hold != nullptr) hold->stack = stack::capture(recording, frame);
  // Not before the record above is whole: what follows it may seal its chunk.
  note_switch(recording, gil, now);
  return result;
}

// Fast path, no calls; returns false without side effects when the slow path is needed. (A hook
// that calls nothing saves no registers: this and the same for SaveThread and RestoreThread saves a
// fifth of the cost of a pair.)
__attribute__((always_inline)) inline bool acquired_at_once(Gil& gil) {
  ThreadLog* log = ThreadLogs::seen();
  if (log == nullptr || log->request != 0 || log->after_forced || is_switched(gil)) return false;
  return Recording::in_short(*log, [&gil](ThreadLog& own) {
    begin_hold(own, gil, not_before(Clock::counter(), gil.released));
    return true;
  });
}

__attribute__((always_inline)) inline bool released_at_once(Gil& gil) {
  ThreadLog* log = ThreadLogs::seen();
  if (log == nullptr || gil.waiters != 0 || is_switched(gil)) return false;
  return Recording::in_short(*log, [&gil](ThreadLog& own) {
    const format::ThreadSlot& slot = *own.slot;
    const std::uint64_t since = slot.open_hold;
    // Whose thread state it is that would be looked at is certain only if this thread holds it.
    if (since == 0 || drop_requested(gil)) return false;
    const std::uint64_t now = Clock::counter();
    if (now < since || now - since >= long_hold || own.cursor == own.end) {
      return false;
    }
    const auto flags = static_cast<std::uint8_t>(slot.open_hold_flags);
    Recording::write(own, EventKind::gil_hold, flags, 0, gil.id, since, now - since, 0, 0);
    own.holding_in = 0;
    end_hold(own, gil, now);
    return true;
  });
}

// Whether the calling thread still holds the native locks that others wait for and name it.
bool holds_wanted_lock(Recording& recording) {
  const auto tid = static_cast<int>(recording.log().tid);
  return recording.session().held().holds_all(recording.log().index, [tid](const int* owner) {
    int now = 0;
    return gilscope_copy(&now, reinterpret_cast<std::uintptr_t>(owner), sizeof now) != 0 &&
           now == tid;
  });
}

void begin_request(Recording& recording, const Gil& gil, const void* frame) {
  ThreadLog& log = recording.log();
  log.request = Clock::ticks();
  log.holds_wanted_lock = holds_wanted_lock(recording);
  log.wait_stack = stack::capture(recording, frame);
  shown_wait::begin(recording.slot(), EventKind::gil_wait, gil.id, 0,
                    log.holds_wanted_lock ? format::gil_wait_flag::kHoldsWantedLock : 0,
                    log.wait_stack, log.request);
}

// Before the GIL's mutex is taken: this thread is about to wait, and whatever is done now costs
// nobody but itself.
__attribute__((noinline)) void contended_request(const Gil& gil, const void* frame) {
  Recording recording;
  if (!recording || recording.slot().open_hold != 0) return;
  ThreadLog& log = recording.log();
  if (log.request != 0) return;
  const ErrnoKeeper keep_errno;
  begin_request(recording, gil, frame);
}

void waiting(Gil& gil, const void* frame) {
  Recording recording;
  if (!recording) return;
  ThreadLog& log = recording.log();
  if (log.request == 0) {
    // Rare: the GIL was taken between the look at it and the lock of its mutex.
    begin_request(recording, gil, frame);
  }
  if (!log.counted) {
    log.counted = true;
    ++gil.waiters;
  }
  if (log.holder == 0) {
    log.holder = gil.holder;
    shown_wait::set_peer(recording.slot(), log.holder);
  }
}

void timed_out() {
  Recording recording;
  if (recording && recording.log().timeouts != UINT16_MAX) ++recording.log().timeouts;
}

// A time at which the holder is to be looked at, before `until`, on the same clock, which is the
// condition's. False if that comes soon anyway.
bool time_to_look(const timespec& until, timespec* at_time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kFar = 3600 * kSecond;
  constexpr auto kAfter = static_cast<std::int64_t>(kLongHold);
  const std::int64_t end = until.tv_sec * kSecond + until.tv_nsec;
  for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
    const auto now = static_cast<std::int64_t>(nanoseconds(clock));
    // The other clock is years away.
    if (end - now > kFar || now - end > kFar) continue;
    if (end - now < kAfter * 3 / 2) return false;
    at_time->tv_sec = (now + kAfter) / kSecond;
    at_time->tv_nsec = (now + kAfter) % kSecond;
    return true;
  }
  return false;
}

// With the GIL's mutex held, which the holder needs to release the GIL. False if it has not held
// the GIL for long. One look serves all threads that wait.
bool look_at_holder(Gil& gil) {
  Recording recording;
  if (!recording || gil.holder == 0) return false;
  const std::uint64_t now = Clock::ticks();
  const format::ThreadSlot* slot = recording.session().slot_at(gil.holder);
  if (slot == nullptr) return false;
  const std::uint64_t since = __atomic_load_n(&slot->open_hold, __ATOMIC_RELAXED);
  if (since == 0 || now < since || now - since < long_hold) return false;
  if (now - gil.looked < long_hold) return true;
  gil.looked = now;
  hold_samples::Holder holder;
  holder.tid = static_cast<pid_t>(slot->tid);
  holder.thread = gil.holder;
  holder.gil = gil.id;
  holder.asked = drop_requested(gil);
  holder.mutex =
      reinterpret_cast<const void*>(gil.state.load(std::memory_order_relaxed) + at.mutex);
  holder.state = reinterpret_cast<const void*>(last_holder(gil));
  hold_samples::look(recording, holder);
  return true;
}

// One of those that wait, whatever their number. It may leave without a word.
bool is_looker(Gil& gil) {
  const ThreadLog* log = ThreadLogs::seen();
  const std::uint64_t now = Clock::ticks();
  if (log == nullptr || (gil.looker != log->index && now < gil.looker_until)) return false;
  gil.looker = log->index;
  gil.looker_until = now + 3 * long_hold;
  return true;
}

// Returns early, as any wait for a condition may, if the GIL is free by then.
int wait_and_look(Gil& gil, pthread_cond_t* cond, pthread_mutex_t* mutex, const timespec* until) {
  timespec soon;
  // At once if the thread has held it for long already: this one may be late to wake.
  while (Session::active() != nullptr && !look_at_holder(gil) && is_looker(gil) &&
         time_to_look(*until, &soon)) {
    const int result = pthread_cond_timedwait(cond, mutex, &soon);
    if (result != ETIMEDOUT || !is_locked(gil)) return result != ETIMEDOUT ? result : 0;
  }
  return pthread_cond_timedwait(cond, mutex, until);
}

// Whether the calling thread holds a GIL as far as it was seen; then it is about to release it.
bool is_holder() {
  const ThreadLog* log = ThreadLogs::current();
  return log != nullptr && log->holding_in != 0 && log->holding_in == Session::active_id();
}

// With `adding` held, or before there are hooks.
Gil* add(const gilscope_found_gil& found) {
  const std::size_t n = gil_count.load(std::memory_order_relaxed);
  if (n == kMaxGils) return nullptr;
  Gil& gil = gils[n];
  gil.id = static_cast<std::uint32_t>(n) + 1;
  gil.holder = 0;
  gil.waiters = 0;
  gil.released = 0;
  gil.looked = 0;
  gil.looker_until = 0;
  gil.interpreter = found.interpreter;
  gil.state.store(found.state, std::memory_order_relaxed);
  gil.enabled = found.enabled;
  gil_count.store(n + 1, std::memory_order_release);
  return &gil;
}

}  // namespace

void initialize(const ElfImage& interpreter) {
  gilscope_find_gil_layout(&at);
  handle_pending = interpreter.function("_Py_HandlePending");
}

bool tells_forced_releases() { return handle_pending.known(); }

void find_gils() {
  gilscope_found_gil found[kMaxGils];
  const std::size_t n = gilscope_find_gils(found, kMaxGils);
  gil_count = 0;
  for (Gil& gil : gils) gil.state.store(0, std::memory_order_relaxed);
  for (std::size_t i = 0; i < n; ++i) add(found[i]);
}

bool is_waited_for_at(std::uintptr_t address) {
  const std::uintptr_t state = gils[0].state.load(std::memory_order_relaxed);
  const std::uintptr_t cond = state + at.cond;
  return state != 0 && (address == state + at.mutex ||
                        (address >= cond && address < cond + sizeof(pthread_cond_t)));
}

void after_fork_in_child() {
  new (&adding) std::mutex;
  hold_samples::after_fork_in_child();
}

void begin_session(Session& session, bool enabled) {
  long_hold = kLongHold / 1000 * (Clock::ticks_per_second() / 1'000'000);
  {
    gilscope_found_gil found[kMaxGils];
    const std::size_t n = gilscope_find_gils(found, kMaxGils);
    const std::lock_guard<std::mutex> lock(adding);
    // Those that were made since the hooks are there.
    for (std::size_t i = 0; i < n; ++i) {
      if (gil_with(reinterpret_cast<const void*>(found[i].state), 0) == nullptr) add(found[i]);
    }
    for (const Gil& gil : gils) {
      if (gil.state.load(std::memory_order_relaxed) != 0) define(session, gil);
    }
  }
  hold_samples::begin_session(session);
  ThreadLog* log = ThreadLogs::current();
  if (!enabled || log == nullptr || (log->session_id != session.id() && !session.join(log))) return;
  Gil* own = gil_with(reinterpret_cast<const void*>(gilscope_own_gil()), 0);
  if (own == nullptr) return;
  log->slot->open_gil = own->id;
  log->slot->open_hold_flags = format::hold_flag::kStartedBefore;
  log->slot->open_hold = Clock::ticks();
  own->holder = log->index;
  log->holding_in = session.id();
}

void end_session() { hold_samples::end_session(); }

int mutex_lock(pthread_mutex_t* mutex) {
  if (!classes.gil) return pthread_mutex_lock(mutex);
  const Gil* gil = gil_with(mutex, at.mutex);
  if (gil == nullptr) return pthread_mutex_lock(mutex);
  // An uncontended request costs no time stamp: it begins when the thread gets the GIL. The GIL is
  // taken by this thread when it is about to give it up, else by another one; or only its mutex is.
  // (Not trylock first: it costs more than the lock.)
  if (__builtin_expect((is_locked(*gil) || is_taken(*mutex)) && !is_holder(), 0)) {
    contended_request(*gil, __builtin_frame_address(0));
  }
  return pthread_mutex_lock(mutex);
}

namespace {

__attribute__((noinline)) int any_cond_signal(pthread_cond_t* cond) {
  if (!classes.gil) return pthread_cond_signal(cond);
  if (Gil* gil = gil_with(cond, at.switch_cond)) {
    acquired(*gil);
  } else if (Gil* gil = gil_with(cond, at.cond)) {
    const int result = released(*gil, cond, __builtin_frame_address(0));
    // Once a chunk of events at least: that it comes from an object without hooks does not show.
    const ErrnoKeeper keep_errno;
    if (Session::active() != nullptr) installation::notice();
    return result;
  }
  return pthread_cond_signal(cond);
}

}  // namespace

int cond_signal(pthread_cond_t* cond) {
  if (__builtin_expect(classes.gil && Clock::is_counter(), 1)) {
    const std::uintptr_t state = gils[0].state.load(std::memory_order_relaxed);
    const auto address = reinterpret_cast<std::uintptr_t>(cond);
    if ((address == state + at.switch_cond && acquired_at_once(gils[0])) ||
        (address == state + at.cond && released_at_once(gils[0]))) {
      return pthread_cond_signal(cond);
    }
  }
  return any_cond_signal(cond);
}

int cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex) {
  const Gil* gil = classes.gil ? gil_with(cond, at.switch_cond) : nullptr;
  if (gil == nullptr) return pthread_cond_wait(cond, mutex);
  OpenWait wait;
  {
    Recording recording;
    OpenWait::What what;
    what.kind = EventKind::gil_switch_wait;
    what.what = gil->id;  // the GIL may be gone after the wait
    if (recording && wait.can_begin(recording)) wait.begin(recording, what, Clock::ticks());
  }
  const int result = pthread_cond_wait(cond, mutex);
  wait.end(0);
  return result;
}

int cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex, const timespec* until) {
  Gil* gil = classes.gil ? gil_with(cond, at.cond) : nullptr;
  if (gil == nullptr) return pthread_cond_timedwait(cond, mutex, until);
  waiting(*gil, __builtin_frame_address(0));
  const int result = wait_and_look(*gil, cond, mutex, until);
  if (result == ETIMEDOUT) timed_out();
  return result;
}

// create_gil() initializes `cond` and then `switch_cond`; nothing else in the interpreter makes two
// that lie like that.
int cond_init(pthread_cond_t* cond, const pthread_condattr_t* attributes) {
  static thread_local std::uintptr_t candidate = 0;
  const int result = pthread_cond_init(cond, attributes);
  if (!classes.gil || Session::active() == nullptr) return result;
  const auto address = reinterpret_cast<std::uintptr_t>(cond);
  if (candidate == 0 || address != candidate + at.switch_cond) {
    candidate = address - at.cond;
    return result;
  }
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (recording) {
    const std::lock_guard<std::mutex> lock(adding);
    if (Gil* gil = add({candidate, gilscope_interpreter_of_gil(candidate), 0})) {
      gil->enabled = enabled(*gil);  // this thread is making it: nobody takes it away
      define(recording.session(), *gil);
    } else {
      define_left_out(recording.session());
    }
  }
  candidate = 0;
  return result;
}

int cond_destroy(pthread_cond_t* cond) {
  // Its memory may be used again for anything. Not the first one's: that is there to the end.
  Gil* gil = classes.gil ? gil_with(cond, at.cond) : nullptr;
  if (gil != nullptr && gil != gils) gil->state.store(0, std::memory_order_relaxed);
  return pthread_cond_destroy(cond);
}

}  // namespace gilscope::hooks::gil
