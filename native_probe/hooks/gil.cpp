#include "hooks/gil.hpp"

#include <cerrno>

#include "cpython/layout.h"
#include "hooks/interpreter.hpp"

// How take_gil() and drop_gil() of Python/ceval_gil.c look from outside, the same in 3.13 to 3.15:
//   take: lock(mutex); while locked: timedwait(cond, mutex); lock(switch_mutex); locked = 1;
//         signal(switch_cond); unlock(switch_mutex); unlock(mutex)
//   drop: lock(mutex); locked = 0; signal(cond); unlock(mutex);
//         if asked to drop: lock(switch_mutex); wait(switch_cond, switch_mutex);
//         unlock(switch_mutex)
namespace gilscope::hooks::gil {
namespace {

using format::EventKind;

struct Gil {
  gilscope_gil at{};
  std::uint32_t id = 1;
  // Both are read and written only while the GIL's mutex is held.
  std::uint32_t holder = 0;
  std::uint64_t released = 0;
};

Gil main_gil;
CodeRange handle_pending;

// Time stamps of two processors, taken in this order under one mutex, can be some nanoseconds out
// of order, since the processor may read its counter early. More than that is not ours to hide.
constexpr std::uint64_t kCounterSkew = 2048;  // ticks

std::uint64_t not_before(std::uint64_t now, std::uint64_t earlier) {
  return now < earlier && earlier - now < kCounterSkew ? earlier : now;
}

// The evaluation loop gives the GIL up in _Py_HandlePending() only; the return address into it then
// stands within the three frames above the hook.
__attribute__((no_sanitize("address"))) bool released_by_eval_loop(const void* const* frame) {
  constexpr int kWords = 64;
  for (int i = 0; i < kWords; ++i) {
    if (handle_pending.contains(frame[i])) return true;
  }
  return false;
}

void begin_wait(Recording& recording, EventKind kind, std::uint64_t start, std::uint32_t peer) {
  format::ThreadSlot& slot = recording.slot();
  slot.open_wait_kind = static_cast<std::uint32_t>(kind);
  slot.open_wait_what = main_gil.id;
  slot.open_wait_peer = peer;
  __atomic_store_n(&slot.open_wait, start, __ATOMIC_RELEASE);
}

void end_request(Recording& recording, std::uint64_t now, std::uint8_t flags) {
  ThreadLog& log = recording.log();
  if (log.request != 0) {
    recording.emit(EventKind::gil_wait,
                   static_cast<std::uint8_t>(
                       flags | (log.after_forced ? format::gil_wait_flag::kAfterForced : 0)),
                   log.timeouts, main_gil.id, log.request,
                   now > log.request ? now - log.request : 0, log.holder);
    log.request = 0;
    log.timeouts = 0;
    log.holder = 0;
    recording.slot().open_wait = 0;
  }
  log.after_forced = false;
}

void acquired() {
  Recording recording;
  if (!recording) return;
  const std::uint64_t now = not_before(Clock::ticks(), main_gil.released);
  end_request(recording, now, 0);
  format::ThreadSlot& slot = recording.slot();
  main_gil.holder = recording.log().index;
  slot.open_gil = main_gil.id;
  slot.open_hold_flags = 0;
  __atomic_store_n(&slot.open_hold, now, __ATOMIC_RELEASE);
}

void released(const void* const* frame) {
  Recording recording;
  if (!recording) return;
  const std::uint64_t now = Clock::ticks();
  format::ThreadSlot& slot = recording.slot();
  if (slot.open_hold == 0) {
    // Free-threaded builds: the GIL was switched off while this thread waited for it.
    end_request(recording, now, format::gil_wait_flag::kNotAcquired);
    return;
  }
  auto flags = static_cast<std::uint8_t>(slot.open_hold_flags);
  if (gilscope_drop_requested(main_gil.at.state) != 0 && released_by_eval_loop(frame)) {
    flags |= format::hold_flag::kForced;
    recording.log().after_forced = true;
  }
  const std::uint64_t since = slot.open_hold;
  recording.emit(EventKind::gil_hold, flags, 0, main_gil.id, since, now > since ? now - since : 0,
                 0);
  slot.open_hold = 0;
  main_gil.holder = 0;
  main_gil.released = now;
}

// The GIL's mutex was taken by another thread just now: that is where waiting begins.
void contended_request() {
  Recording recording;
  if (!recording || recording.slot().open_hold != 0) return;
  ThreadLog& log = recording.log();
  if (log.request != 0) return;
  log.request = Clock::ticks();
  begin_wait(recording, EventKind::gil_wait, log.request, 0);
}

void waiting() {
  Recording recording;
  if (!recording) return;
  ThreadLog& log = recording.log();
  if (log.request == 0) log.request = Clock::ticks();
  if (log.holder == 0) {
    log.holder = main_gil.holder;
    begin_wait(recording, EventKind::gil_wait, log.request, log.holder);
  }
}

void timed_out() {
  Recording recording;
  if (recording && recording.log().timeouts != UINT16_MAX) ++recording.log().timeouts;
}

}  // namespace

void initialize(const ElfImage& interpreter) {
  gilscope_find_gil(&main_gil.at);
  handle_pending = interpreter.function("_Py_HandlePending");
}

bool tells_forced_releases() { return handle_pending.known(); }

void begin_session(Session& session, bool enabled) {
  main_gil.holder = 0;
  main_gil.released = 0;
  struct {
    std::uint32_t id;
    std::uint32_t reserved;
    std::uint64_t address;
    std::int64_t interpreter;
  } body{main_gil.id, 0, reinterpret_cast<std::uint64_t>(main_gil.at.state),
         main_gil.at.interpreter};
  session.file().define(format::DefinitionTag::gil, &body, sizeof body);
  ThreadLog* log = ThreadLogs::current();
  if (!enabled || log == nullptr || (log->session_id != session.id() && !session.join(log))) return;
  log->slot->open_gil = main_gil.id;
  log->slot->open_hold_flags = format::hold_flag::kStartedBefore;
  log->slot->open_hold = Clock::ticks();
  main_gil.holder = log->index;
}

int mutex_lock(pthread_mutex_t* mutex) {
  if (mutex != main_gil.at.mutex || !classes.gil) return pthread_mutex_lock(mutex);
  // An uncontended request costs no time stamp: it begins when the thread gets the GIL.
  if (pthread_mutex_trylock(mutex) == 0) return 0;
  contended_request();
  return pthread_mutex_lock(mutex);
}

int cond_signal(pthread_cond_t* cond) {
  if (classes.gil) {
    if (cond == main_gil.at.switch_cond) {
      acquired();
    } else if (cond == main_gil.at.cond) {
      released(static_cast<const void* const*>(__builtin_frame_address(0)));
    }
  }
  return pthread_cond_signal(cond);
}

int cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex) {
  if (cond != main_gil.at.switch_cond || !classes.gil) return pthread_cond_wait(cond, mutex);
  const std::uint64_t start = Clock::ticks();
  std::uint64_t session = 0;
  {
    Recording recording;
    if (recording) {
      session = recording.session().id();
      begin_wait(recording, EventKind::gil_switch_wait, start, 0);
    }
  }
  const int result = pthread_cond_wait(cond, mutex);
  const std::uint64_t end = Clock::ticks();
  Recording recording;
  if (recording && recording.session().id() == session) {
    recording.slot().open_wait = 0;
    recording.emit(EventKind::gil_switch_wait, 0, 0, main_gil.id, start, end - start, 0);
  }
  return result;
}

int cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex, const timespec* until) {
  if (cond != main_gil.at.cond || !classes.gil) {
    return pthread_cond_timedwait(cond, mutex, until);
  }
  waiting();
  const int result = pthread_cond_timedwait(cond, mutex, until);
  if (result == ETIMEDOUT) timed_out();
  return result;
}

}  // namespace gilscope::hooks::gil
