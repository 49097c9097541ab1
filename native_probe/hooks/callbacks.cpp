#include "hooks/callbacks.hpp"

#include <Python.h>
#include <dlfcn.h>

#include <cstdlib>

#include "core/loader_call.hpp"
#include "cpython/callable.hpp"
#include "cpython/own_state.hpp"
#include "cpython/thread_state.h"
#include "hooks/calls.hpp"
#include "hooks/entries.hpp"
#include "hooks/hazards.hpp"

// Definition of a callback. Native code outside of Python (its thread has no thread state attached)
// asks to get in; the callback lasts from that request until the thread is out again. Three things
// look alike from outside and are told apart here:
//
// 1. PyGILState_Ensure with a thread state attached already: no entry, nothing is recorded.
// 2. The end of a section without the GIL (Py_BEGIN_ALLOW_THREADS, gil_scoped_release): the thread
//    gave the thread state up by SaveThread or ReleaseThread and takes the same one back by the
//    function that belongs to it. AcquireThread after SaveThread is none of that: that is
//    pybind11's gil_scoped_acquire in a released section, a callback.
// 3. SaveThread in a callback that came in by AcquireThread: it ends the callback (pybind11), or it
//    begins a section without the GIL inside it. It does not end it
//    - while Python code runs that did not run when it began, nor
//    - while the binding counts more uses of the thread state than then (pybind11 counts each).
//    If it counts none at all, what the thread does next decides, and the record is pending until
//    then: PyEval_RestoreThread takes the state back, all else is another callback.
//
// PyGILState_Ensure always ends with the PyGILState_Release after which no state is attached.
//
// What is open is kept by thread, not by thread state: bindings make a new one for each callback.
// Levels that were not closed (longjmp, a thread that left by a way that is not hooked) are dropped
// as soon as the thread asks to get in again: it could not, were it still inside.
namespace gilscope::hooks::callbacks {
namespace {

using format::EventKind;
using By = CallbackLog::By;
using Level = CallbackLog::Level;

std::uintptr_t number(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

std::uintptr_t distance(std::uintptr_t a, std::uintptr_t b) { return a > b ? a - b : b - a; }

bool is_attached() { return PyThreadState_GetUnchecked() != nullptr; }

// Calls in a callback that are looked at until one is what it runs.
constexpr std::uint8_t kLooks = 8;

__attribute__((noinline)) CallbackLog* first_levels(std::uint64_t session) {
  ThreadLog* log = ThreadLogs::current();
  if (log == nullptr) return nullptr;
  CallbackLog& callbacks = log->callbacks;
  // Whoever saw this thread's start saw that it came from native code.
  const bool native = log->attached_in == session && log->origin == format::kNativeThread;
  callbacks.session = session;
  callbacks.depth = 0;
  callbacks.overflow = 0;
  callbacks.native = native;
  callbacks.made = nullptr;
  callbacks.cleared = nullptr;
  callbacks.levels[0] = Level{};
  calls::set_wanted(false);
  return &callbacks;
}

// The calling thread's levels, empty at its first event in a session; nullptr where none is active.
inline CallbackLog* levels() {
  const std::uint64_t session = Session::active_id();
  if (session == 0) return nullptr;
  ThreadLog* log = ThreadLogs::seen();
  if (__builtin_expect(log != nullptr && log->callbacks.session == session, 1)) {
    return &log->callbacks;
  }
  return first_levels(session);
}

void came_back(const void* state) {
  ThreadLog* log = ThreadLogs::current();
  if (log != nullptr) own_state::attached(*log, Session::active_id(), state);
}

void give_up(const void* state) {
  ThreadLog* log = ThreadLogs::current();
  if (log == nullptr || state == nullptr) return;
  own_state::giving_up(*log, state, gilscope_python_frame(state));
}

Level& top(CallbackLog& log) { return log.levels[log.depth]; }

// The slot shows the innermost callback.
void show(Recording& recording, const CallbackLog& log) {
  const Level& level = log.levels[log.depth];
  format::ThreadSlot& slot = recording.slot();
  const bool open = log.depth != 0 && !level.perhaps_left;
  slot.open_callback_what = open ? level.entry : 0;
  slot.open_callback_callable = open ? level.callable : 0;
  __atomic_store_n(&slot.open_callback, open ? level.start : 0, __ATOMIC_RELEASE);
  calls::set_wanted(open && level.looks != 0 && log.overflow == 0);
}

void emit(Recording& recording, const Level& level, std::uint64_t end) {
  recording.emit(EventKind::callback, level.flags, format::short_float(level.getting_in),
                 level.entry, level.start, end > level.start ? end - level.start : 0,
                 level.callable);
}

// The innermost callback is over.
void close(Recording& recording, CallbackLog& log, std::uint64_t end) {
  Level& level = top(log);
  if (level.perhaps_left) {
    recording.session().write_pending(&recording.log());
  } else {
    emit(recording, level, end);
  }
  --log.depth;
}

// That the thread wants in shows that it is out: whatever is open as if it were inside was
// abandoned.
void drop_abandoned(Recording& recording, CallbackLog& log) {
  if (log.depth != 0 && top(log).perhaps_left) close(recording, log, 0);
  while (log.depth != 0 && top(log).released == nullptr) {
    --log.depth;
    log.overflow = 0;
  }
}

// Ticks that this thread waited for the GIL or a lock since then, as far as its records tell.
std::uint64_t waited_since(const ThreadLog& log, std::uint64_t start) {
  std::uint64_t sum = 0;
  if (log.chunk == nullptr) return 0;
  const auto* first = reinterpret_cast<const format::EventRecord*>(log.chunk + 1);
  for (const format::EventRecord* record = log.cursor; record != first;) {
    --record;
    const auto kind = static_cast<EventKind>(record->kind);
    if (record->start + record->duration < start) break;
    if (record->start < start) continue;
    if (kind == EventKind::gil_wait || kind == EventKind::gil_switch_wait ||
        kind == EventKind::lock_wait) {
      sum += record->duration;
    }
  }
  return sum;
}

void emit_state(Recording& recording, std::uint8_t flag, std::uint64_t start,
                std::uint64_t duration) {
  const std::uint64_t waited = waited_since(recording.log(), start);
  recording.emit(EventKind::thread_state, flag, 0, 0, start,
                 duration > waited ? duration - waited : 0, 0);
}

// A request to get in, from before the real call to after it.
class Entering {
 public:
  // `state`: the one that will be attached, nullptr where that is still to be found.
  Entering(By by, const void* state, const void* frame) {
    const ErrnoKeeper keep_errno;
    CallbackLog* log = levels();
    if (log == nullptr) return;
    if (state != nullptr && state != log->made) own_state::attaching(state);
    Recording recording;
    if (!recording) return;
    drop_abandoned(recording, *log);
    session_ = recording.session().id();
    level_.by = by;
    level_.looks = kLooks;
    level_.state = state;
    level_.frame = number(frame);
    level_.entry = entries::find(recording, frame);
    const Level& below = top(*log);
    certain_ = by == By::ensure || log->native || log->depth != 0 || below.released != nullptr ||
               (state != nullptr && log->made == state);
    if (state != nullptr) level_.counter = gilscope_state_counter(state);
    level_.start = Clock::ticks();
    if (state != nullptr && log->made == state) {
      level_.start = log->made_at;
      level_.flags = format::callback_flag::kStateCreated;
      log->made = nullptr;
    }
    makes_state_ = by == By::ensure && PyGILState_GetThisThreadState() == nullptr;
    if (!certain_) return;
    recording.slot().open_callback_what = level_.entry;
    recording.slot().open_callback_callable = 0;
    __atomic_store_n(&recording.slot().open_callback, level_.start, __ATOMIC_RELEASE);
  }

  void done() {
    if (session_ == 0) return;
    const ErrnoKeeper keep_errno;
    CallbackLog* log = levels();
    Recording recording;
    if (log == nullptr || !recording || recording.session().id() != session_) return;
    const std::uint64_t now = time_of_entry(recording.slot());
    const void* state = PyThreadState_GetUnchecked();
    if (state == nullptr) return show(recording, *log);
    own_state::attached(recording.log(), session_, state);
    level_.python_frame = gilscope_python_frame(state);
    // A thread that was here before us and is in the middle of something: RestoreThread then is
    // more likely the end of a section than a way in, and so is anything that goes on with Python
    // code.
    if (!certain_ && (level_.by == By::state || level_.python_frame != nullptr)) return;
    // It had no thread state, so it was not inside before.
    const bool has_new_state = makes_state_ || level_.flags != 0;
    if (log->depth == 0 && has_new_state) log->native = true;
    level_.state = state;
    level_.getting_in = now - level_.start;
    if (makes_state_) {
      level_.flags |= format::callback_flag::kStateCreated;
      emit_state(recording, format::thread_state_flag::kCreated, level_.start, now - level_.start);
    }
    if (log->depth == CallbackLog::kMaxDepth) {
      // Those by other functions need not be counted: what they do to the innermost level is what
      // a section without the GIL would.
      if (level_.by == By::ensure) ++log->overflow;
      return show(recording, *log);
    }
    log->levels[++log->depth] = level_;
    show(recording, *log);
  }

 private:
  // When it got the GIL, where it had to: another time stamp would cost more than it says.
  std::uint64_t time_of_entry(const format::ThreadSlot& slot) const {
    return slot.open_hold > level_.start ? slot.open_hold : Clock::ticks();
  }

  Level level_{};
  std::uint64_t session_ = 0;
  bool certain_ = false;
  bool makes_state_ = false;
};

// When the thread got out: when it gave the GIL up, if it had it in this callback and that is the
// last thing that happened to it.
std::uint64_t time_of_exit(const ThreadLog& log, std::uint64_t start) {
  if (log.chunk != nullptr && log.slot->open_hold == 0 &&
      log.cursor != reinterpret_cast<const format::EventRecord*>(log.chunk + 1)) {
    const format::EventRecord& last = log.cursor[-1];
    if (last.kind == static_cast<std::uint8_t>(EventKind::gil_hold) && last.start >= start) {
      return last.start + last.duration;
    }
  }
  return Clock::ticks();
}

// The thread is out: closes the levels from the innermost to the one that `is_it` accepts.
template <typename IsIt>
void leave(CallbackLog& log, std::uint8_t flags, IsIt is_it) {
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (!recording || recording.session().id() != log.session || log.depth == 0) return;
  const std::uint64_t now = time_of_exit(recording.log(), top(log).start);
  std::uint32_t depth = log.depth;
  while (depth != 0 && !is_it(log.levels[depth])) --depth;
  if (depth == 0) return;
  while (log.depth > depth) close(recording, log, now);
  top(log).flags |= flags;
  close(recording, log, now);
  show(recording, log);
  // Outside: what it calls now, it calls without being attached.
  if (log.depth == 0) calls::set_wanted(true);
}

// In a callback, and still attached: what giving up the thread state will mean.
enum class Meaning : std::uint8_t { section, leaves, perhaps_leaves };

Meaning meaning_of_release(const CallbackLog& log, By by) {
  const Level& level = log.levels[log.depth];
  if (log.depth == 0 || level.by == By::ensure) return Meaning::section;
  const void* state = PyThreadState_GetUnchecked();
  if (state != level.state || gilscope_python_frame(state) != level.python_frame) {
    return Meaning::section;
  }
  if (gilscope_state_counter(state) > level.counter) return Meaning::section;
  // Those belong together in the interpreter's own documentation.
  if (level.counts || by == By::thread || by == By::swap) return Meaning::leaves;
  return Meaning::perhaps_leaves;
}

// After the real call: the thread is detached.
void released(CallbackLog& log, Meaning meaning, const void* state, By by, const void* frame) {
  if (meaning == Meaning::leaves) {
    return leave(log, 0, [state](const Level& level) { return level.state == state; });
  }
  Level& level = top(log);
  level.released = state;
  level.released_frame = number(frame);
  level.released_by = by;
  if (meaning == Meaning::section) return;
  const ErrnoKeeper keep_errno;
  const std::uint64_t now = Clock::ticks();
  Recording recording;
  if (!recording || recording.session().id() != log.session) return;
  format::EventRecord& pending = recording.log().pending;
  pending = {static_cast<std::uint8_t>(EventKind::callback),
             level.flags,
             format::short_float(level.getting_in),
             level.entry,
             level.start,
             now > level.start ? now - level.start : 0,
             level.callable,
             0};
  level.perhaps_left = true;
  show(recording, log);
}

Meaning before_release(CallbackLog* log, By by) {
  if (log == nullptr) return Meaning::section;
  give_up(PyThreadState_GetUnchecked());
  if (log->depth != 0) return meaning_of_release(*log, by);
  return Meaning::section;
}

void after_release(CallbackLog* log, Meaning meaning, const void* state, By by, const void* frame) {
  if (log == nullptr) return;
  // A thread that is not called by Python has left it for good, until it asks again.
  if (log->depth == 0 && log->native) return;
  released(*log, meaning, state, by, frame);
}

// RestoreThread after a release that may have been the end of the callback.
void decide(CallbackLog& log, const void* state, std::uintptr_t frame) {
  Level& level = top(log);
  if (!level.perhaps_left) return;
  const Level& below = log.levels[log.depth - 1];
  const std::uintptr_t own = distance(frame, level.released_frame);
  bool left = level.released != state;
  // The end of the section around the callback is called from where that began.
  if (below.released == state) left |= distance(frame, below.released_frame) < own;
  // A thread that comes in by RestoreThread each time does so from the same place each time.
  if (level.by == By::state) left |= distance(frame, level.frame) <= own;
  Recording recording;
  if (!recording || recording.session().id() != log.session) return;
  if (left) {
    close(recording, log, 0);
  } else {
    level.perhaps_left = false;
    recording.log().pending.kind = 0;
  }
  show(recording, log);
}

// Whether this takes back what was given up in the innermost level; after that it is attached.
bool ends_section(CallbackLog* log, const void* state, By by) {
  if (log == nullptr) return false;
  const Level& level = top(*log);
  if (level.perhaps_left || level.released != state || state == nullptr) return false;
  return by == By::state || by == level.released_by;
}

void section_ended(CallbackLog* log, const void* state) {
  came_back(state);
  Level& level = top(*log);
  level.released = nullptr;
  // No Python code has called this thread: what was taken for a section was its time outside. With
  // SaveThread it can be a section of a callback that began before the session.
  if (log->depth == 0 && level.released_by != By::state &&
      gilscope_python_frame(state) == nullptr) {
    log->native = true;
  }
}

// ------------------------------------------------------------------------------------------------
// The hooks. The frame address is taken in the function that native code calls.

#define GILSCOPE_FRAME __builtin_frame_address(0)

PyGILState_STATE gilstate_ensure() {
  if (is_attached()) return PyGILState_Ensure();
  Entering entering(By::ensure, nullptr, GILSCOPE_FRAME);
  const PyGILState_STATE result = PyGILState_Ensure();
  entering.done();
  return result;
}

void after_ensured_release(CallbackLog* log, const void* state, std::uint64_t start) {
  if (log->overflow != 0) {
    --log->overflow;
    top(*log).released = state;  // as it was before
    return;
  }
  std::uint8_t flags = 0;
  if (start != 0 && PyGILState_GetThisThreadState() == nullptr) {
    const ErrnoKeeper keep_errno;
    const std::uint64_t now = Clock::ticks();
    flags = format::callback_flag::kStateDeleted;
    Recording recording;
    if (recording && recording.session().id() == log->session) {
      emit_state(recording, format::thread_state_flag::kDeleted, start, now - start);
    }
  }
  leave(*log, flags, [](const Level& level) { return level.by == By::ensure; });
}

// A callback ends in the Python frame in which it began. If it does not, greenlets have switched
// stacks inside callbacks, which do not end in the order in which they began: none of them is
// recorded.
void drop_interleaved(CallbackLog& log) {
  Recording recording;
  if (!recording || recording.session().id() != log.session) return;
  recording.log().pending.kind = 0;
  log.depth = 0;
  log.levels[0].released = nullptr;
  show(recording, log);
}

void gilstate_release(PyGILState_STATE old) {
  CallbackLog* log = levels();
  if (log == nullptr || log->depth == 0) return PyGILState_Release(old);
  const PyThreadState* state = PyThreadState_GetUnchecked();
  const bool deletes = state != nullptr && gilscope_state_counter(state) == 1;
  const std::uint64_t start = deletes ? Clock::ticks() : 0;
  const void* frame = state != nullptr ? gilscope_python_frame(state) : nullptr;
  if (state != nullptr && log->overflow == 0 && frame != top(*log).python_frame) {
    drop_interleaved(*log);
    return PyGILState_Release(old);
  }
  if (state != nullptr && frame == nullptr) give_up(state);
  PyGILState_Release(old);
  if (!is_attached()) after_ensured_release(log, state, start);
}

__attribute__((noinline)) PyThreadState* any_save_thread() {
  CallbackLog* log = levels();
  const Meaning meaning = before_release(log, By::state);
  PyThreadState* state = PyEval_SaveThread();
  after_release(log, meaning, state, By::state, GILSCOPE_FRAME);
  return state;
}

__attribute__((noinline)) void any_restore_thread(PyThreadState* state) {
  CallbackLog* log = levels();
  if (log != nullptr) decide(*log, state, number(GILSCOPE_FRAME));
  if (ends_section(log, state, By::state)) {
    PyEval_RestoreThread(state);
    return section_ended(log, state);
  }
  Entering entering(By::state, state, GILSCOPE_FRAME);
  PyEval_RestoreThread(state);
  entering.done();
}

// Nearly all of them: a section without the GIL that no callback has begun.
PyThreadState* save_thread() {
  CallbackLog* log = levels();
  if (__builtin_expect(log == nullptr || log->depth != 0 || log->native, 0)) {
    return any_save_thread();
  }
  PyThreadState* state = PyEval_SaveThread();
  Level& level = log->levels[0];
  level.released = state;
  level.released_frame = number(GILSCOPE_FRAME);
  level.released_by = By::state;
  return state;
}

void restore_thread(PyThreadState* state) {
  CallbackLog* log = levels();
  if (__builtin_expect(log == nullptr || log->depth != 0 || state == nullptr ||
                           log->levels[0].released != state ||
                           log->levels[0].released_by != By::state,
                       0)) {
    return any_restore_thread(state);
  }
  PyEval_RestoreThread(state);
  log->levels[0].released = nullptr;
}

void acquire_thread(PyThreadState* state) {
  CallbackLog* log = levels();
  if (ends_section(log, state, By::thread)) {
    PyEval_AcquireThread(state);
    return section_ended(log, state);
  }
  Entering entering(By::thread, state, GILSCOPE_FRAME);
  PyEval_AcquireThread(state);
  entering.done();
}

void release_thread(PyThreadState* state) {
  CallbackLog* log = levels();
  const Meaning meaning = before_release(log, By::thread);
  PyEval_ReleaseThread(state);
  after_release(log, meaning, state, By::thread, GILSCOPE_FRAME);
}

PyThreadState* swap_attached(PyThreadState* state) {
  if (state != nullptr) own_state::attaching(state);
  PyThreadState* old = PyThreadState_Swap(state);
  if (state != nullptr) came_back(state);
  return old;
}

PyThreadState* swap(PyThreadState* state) {
  CallbackLog* log = levels();
  const bool attached = is_attached();
  // From one state to another, or from none to none: neither an entry nor an exit.
  if (attached == (state != nullptr)) return swap_attached(state);
  if (attached) {
    const Meaning meaning = before_release(log, By::swap);
    PyThreadState* old = PyThreadState_Swap(state);
    after_release(log, meaning, old, By::swap, GILSCOPE_FRAME);
    return old;
  }
  if (ends_section(log, state, By::swap)) {
    PyThreadState* old = PyThreadState_Swap(state);
    section_ended(log, state);
    return old;
  }
  Entering entering(By::swap, state, GILSCOPE_FRAME);
  PyThreadState* old = PyThreadState_Swap(state);
  entering.done();
  return old;
}

PyThreadState* new_state(PyInterpreterState* interpreter) {
  CallbackLog* log = levels();
  if (log == nullptr) return PyThreadState_New(interpreter);
  const std::uint64_t start = Clock::ticks();
  PyThreadState* state = PyThreadState_New(interpreter);
  const ErrnoKeeper keep_errno;
  const std::uint64_t now = Clock::ticks();
  Recording recording;
  if (state == nullptr || !recording || recording.session().id() != log->session) return state;
  log->made = state;
  log->made_at = start;
  emit_state(recording, format::thread_state_flag::kCreated, start, now - start);
  return state;
}

void clear_state(PyThreadState* state) {
  const own_state::End end(state);
  CallbackLog* log = levels();
  if (log == nullptr) return PyThreadState_Clear(state);
  const std::uint64_t start = Clock::ticks();
  PyThreadState_Clear(state);
  const std::uint64_t time = Clock::ticks() - start;
  log->cleared = state;
  log->cleared_at = start;
  log->clearing = time;
}

// `state` is gone and no more than a number.
void deleted(CallbackLog& log, const void* state, std::uint64_t start) {
  const ErrnoKeeper keep_errno;
  std::uint64_t time = Clock::ticks() - start;
  Recording recording;
  if (!recording || recording.session().id() != log.session) return;
  if (log.cleared == state) {
    start = log.cleared_at;
    time += log.clearing;
    log.cleared = nullptr;
  }
  emit_state(recording, format::thread_state_flag::kDeleted, start, time);
}

void delete_current() {
  CallbackLog* log = levels();
  const void* state = PyThreadState_GetUnchecked();
  const own_state::End end(state);
  if (log == nullptr || state == nullptr) return PyThreadState_DeleteCurrent();
  const std::uint64_t start = Clock::ticks();
  PyThreadState_DeleteCurrent();
  deleted(*log, state, start);
  leave(*log, format::callback_flag::kStateDeleted,
        [state](const Level& level) { return level.state == state; });
}

void delete_state(PyThreadState* state) {
  const own_state::End end(state);
  CallbackLog* log = levels();
  if (log == nullptr) return PyThreadState_Delete(state);
  const std::uint64_t start = Clock::ticks();
  PyThreadState_Delete(state);
  deleted(*log, state, start);
}

// An interpreter takes its thread states with it, whosever they are.
void clear_interpreter(PyInterpreterState* interpreter) {
  const own_state::End end(nullptr);
  PyInterpreterState_Clear(interpreter);
}

void delete_interpreter(PyInterpreterState* interpreter) {
  const own_state::End end(nullptr);
  PyInterpreterState_Delete(interpreter);
}

// The names that came later. What they take and give are pointers, whatever they point to.
using EnsureFunction = void* (*)(void*);
using ReleaseFunction = void (*)(void*);
EnsureFunction real_state_ensure = nullptr;
EnsureFunction real_state_ensure_from_view = nullptr;
ReleaseFunction real_state_release = nullptr;

void* state_ensure(void* guard) {
  if (is_attached()) return real_state_ensure(guard);
  Entering entering(By::ensure, nullptr, GILSCOPE_FRAME);
  void* result = real_state_ensure(guard);
  entering.done();
  return result;
}

void* state_ensure_from_view(void* view) {
  if (is_attached()) return real_state_ensure_from_view(view);
  Entering entering(By::ensure, nullptr, GILSCOPE_FRAME);
  void* result = real_state_ensure_from_view(view);
  entering.done();
  return result;
}

void state_release(void* token) {
  CallbackLog* log = levels();
  if (log == nullptr || log->depth == 0) return real_state_release(token);
  const void* state = PyThreadState_GetUnchecked();
  const std::uint64_t start = Clock::ticks();
  real_state_release(token);
  if (!is_attached()) after_ensured_release(log, state, start);
}

std::uint32_t name(Recording& recording, const Call& call) {
  Session& session = recording.session();
  if (call.object != nullptr) return callable::of_object(session, call.object);
  return call.text != nullptr ? callable::of_method(session, call.self, call.text)
                              : callable::of_method(session, call.self, call.name);
}

template <typename Function>
Function later(const char* name) {
  const LoaderCall call;
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

template <typename Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

// A class that is called first is an argument that is being made (bindings turn enumerators into
// Python's so): it stands until something else is called.
void called(const Call& call, const void* frame) {
  const ErrnoKeeper keep_errno;
  CallbackLog* log = levels();
  if (!is_attached()) {
    if (log != nullptr) {
      hazards::found(format::HazardKind::not_attached, "a call of a Python object", frame);
    }
    return calls::set_wanted(true);
  }
  Recording recording;
  const void* state = PyThreadState_GetUnchecked();
  if (log == nullptr || !recording || log->depth == 0 || state == nullptr || top(*log).looks == 0 ||
      top(*log).released != nullptr) {
    return calls::set_wanted(false);
  }
  Level& level = top(*log);
  --level.looks;
  level.counts |= state == level.state && gilscope_state_counter(state) > level.counter;
  if (call.object != nullptr && gilscope_is_of_other_interpreter(call.object) != 0) {
    hazards::found(recording, format::HazardKind::other_interpreter, "a call of a Python object",
                   frame);
  }
  const bool is_class = call.object != nullptr && callable::is_class(call.object);
  const std::uint32_t id = !is_class || level.callable == 0 ? name(recording, call) : 0;
  if (id != 0) level.callable = id;
  if (!is_class && id != 0) level.looks = 0;
  recording.slot().open_callback_callable = level.callable;
  calls::set_wanted(level.looks != 0);
}

void initialize() {
  real_state_ensure = later<EnsureFunction>("PyThreadState_Ensure");
  real_state_ensure_from_view = later<EnsureFunction>("PyThreadState_EnsureFromView");
  real_state_release = later<ReleaseFunction>("PyThreadState_Release");
}

std::vector<Hook> hooks() {
  std::vector<Hook> all = {
      {"PyGILState_Ensure", address(gilstate_ensure)},
      {"PyGILState_Release", address(gilstate_release)},
      {"PyEval_SaveThread", address(save_thread)},
      {"PyEval_RestoreThread", address(restore_thread)},
      {"PyEval_AcquireThread", address(acquire_thread)},
      {"PyEval_ReleaseThread", address(release_thread)},
      {"PyThreadState_Swap", address(swap)},
      {"PyThreadState_New", address(new_state)},
      {"PyThreadState_Clear", address(clear_state)},
      {"PyThreadState_DeleteCurrent", address(delete_current)},
      {"PyThreadState_Delete", address(delete_state)},
      {"PyInterpreterState_Clear", address(clear_interpreter)},
      {"PyInterpreterState_Delete", address(delete_interpreter)},
  };
  // All three or none: a thread that enters by one of them leaves by another.
  if (real_state_ensure != nullptr && real_state_ensure_from_view != nullptr &&
      real_state_release != nullptr) {
    all.push_back({"PyThreadState_Ensure", address(state_ensure)});
    all.push_back({"PyThreadState_EnsureFromView", address(state_ensure_from_view)});
    all.push_back({"PyThreadState_Release", address(state_release)});
  }
  for (const Hook& hook : calls::hooks()) all.push_back(hook);
  return all;
}

}  // namespace gilscope::hooks::callbacks
