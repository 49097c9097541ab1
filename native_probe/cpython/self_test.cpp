#include "cpython/self_test.hpp"

#include <Python.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "core/session.hpp"
#include "core/shown_wait.hpp"
#include "cpython/cost.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/park_sites.hpp"
#include "cpython/parking.hpp"
#include "cpython/stack.hpp"
#include "hooks/interpreter.hpp"
#include "hooks/native_locks.hpp"
#include "hooks/spins.hpp"

namespace gilscope {
namespace {

using format::EventKind;
using format::EventRecord;
using format::LockKind;

constexpr std::uint64_t kPatience = 2'000'000'000;  // ns; far more than any of this takes

// Whether everything has happened so far that was to happen.
bool complete = true;

// A second thread that runs `body`, and the slot that it has in the session.
class Helper {
 public:
  Helper(Session& session, std::function<void()> body) : session_(session), body_(std::move(body)) {
    started_ = pthread_create(&thread_, nullptr, main, this) == 0;
    complete = complete && started_;
  }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() { finish(); }

  // Waits until the thread stands in a wait of this kind; false when that never happened.
  bool is_waiting(EventKind kind) {
    if (!started_) return false;
    const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
    while (nanoseconds(CLOCK_MONOTONIC) < deadline) {
      const std::uint32_t i = index_.load(std::memory_order_acquire);
      const format::ThreadSlot* slot = i != 0 ? session_.slot_at(i) : nullptr;
      if (slot != nullptr && shown_wait::is_open(*slot, kind)) return true;
      sched_yield();
    }
    complete = false;
    return false;
  }

  void finish() {
    if (!started_) return;
    pthread_join(thread_, nullptr);
    started_ = false;
  }

  // False where the system gives no more threads.
  bool started() const { return started_; }
  std::uint32_t index() const { return index_.load(); }

 private:
  static void* main(void* data) {
    auto* self = static_cast<Helper*>(data);
    {
      Recording recording;
      if (recording) self->index_.store(recording.log().index, std::memory_order_release);
    }
    self->body_();
    return nullptr;
  }

  Session& session_;
  std::function<void()> body_;
  std::atomic<std::uint32_t> index_{0};
  pthread_t thread_{};
  bool started_ = false;
};

std::vector<EventRecord> records_of(const Session& session, std::uint32_t thread, EventKind kind) {
  std::vector<EventRecord> found;
  session.file().for_each_chunk([&](const format::ChunkHeader& chunk, std::size_t size) {
    if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::events) ||
        chunk.thread != thread) {
      return;
    }
    const auto* record = reinterpret_cast<const EventRecord*>(&chunk + 1);
    const auto* end = record + (size - sizeof chunk) / sizeof *record;
    for (; record < end && record->kind != 0; ++record) {
      if (record->kind == static_cast<std::uint8_t>(kind)) found.push_back(*record);
    }
  });
  return found;
}

std::optional<format::LockBody> lock_with(const Session& session, std::uint32_t id) {
  std::optional<format::LockBody> found;
  session.file().for_each_definition([&](const format::Definition& definition) {
    const auto body = definition.as<format::LockBody>();
    if (body && body->id == id) found = body;
  });
  return found;
}

std::string not_measured(const char* why) { return std::string("not measured: ") + why; }

// Compares the helper's only wait for a lock with what it must have been.
std::string check_lock_wait(const Session& session, const Helper& helper, std::uint32_t ender,
                            std::uintptr_t address, std::initializer_list<LockKind> kinds) {
  const auto waits = records_of(session, helper.index(), EventKind::lock_wait);
  if (waits.empty()) return not_measured("the wait was not seen");
  const auto lock = lock_with(session, waits.front().what);
  if (!lock) return not_measured("the lock has no definition");
  if (lock->address != address) return not_measured("the address decoded is not the lock's");
  bool kind_fits = false;
  for (const LockKind kind : kinds) kind_fits |= lock->kind == static_cast<std::uint16_t>(kind);
  if (!kind_fits) return not_measured("the kind of lock was taken for another one");
  if (waits.back().peer != ender) return not_measured("the thread that ended the wait is wrong");
  return "ok";
}

std::string test_gil(Session& session, std::uint32_t self) {
  if (gilscope_gil_enabled() == 0) return "not applicable: the GIL is switched off";
  std::atomic<bool> ready{false};
  std::atomic<bool> go{false};
  // Its thread state is made while this thread is detached: making one may stop the world.
  PyThreadState* state = PyEval_SaveThread();
  Helper helper(session, [&ready, &go] {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyThreadState* own = PyEval_SaveThread();
    ready = true;
    while (!go) sched_yield();
    PyEval_RestoreThread(own);
    PyGILState_Release(entered);
  });
  while (helper.started() && !ready) sched_yield();
  PyEval_RestoreThread(state);
  go = true;
  const bool waited = helper.is_waiting(EventKind::gil_wait);
  state = PyEval_SaveThread();
  helper.finish();
  PyEval_RestoreThread(state);
  if (!waited) return not_measured("a request for the GIL was not seen");
  const auto waits = records_of(session, helper.index(), EventKind::gil_wait);
  const auto holds = records_of(session, helper.index(), EventKind::gil_hold);
  if (waits.empty()) return not_measured("an acquisition was not seen");
  if (holds.size() != 2) return not_measured("acquisitions and releases do not match");
  if (waits.back().peer != self) return not_measured("the holder at the request is wrong");
  const auto own = records_of(session, self, EventKind::gil_hold);
  if (own.empty()) return not_measured("a release was not seen");
  return "ok";
}

std::string test_mutex(Session& session, std::uint32_t self) {
  PyMutex mutex{};
  PyMutex_Lock(&mutex);
  Helper helper(session, [&mutex] {
    PyMutex_Lock(&mutex);
    PyMutex_Unlock(&mutex);
  });
  const bool waited = helper.is_waiting(EventKind::lock_wait);
  PyMutex_Unlock(&mutex);
  helper.finish();
  if (!waited) return not_measured("the wait was not seen");
  return check_lock_wait(session, helper, self, reinterpret_cast<std::uintptr_t>(&mutex),
                         {LockKind::mutex});
}

std::string test_thread_lock(Session& session, std::uint32_t self) {
  PyThread_type_lock lock = PyThread_allocate_lock();
  if (lock == nullptr) return not_measured("no lock could be made");
  PyThread_acquire_lock(lock, 1);
  Helper helper(session, [lock] {
    PyThread_acquire_lock(lock, 1);
    PyThread_release_lock(lock);
  });
  const bool waited = helper.is_waiting(EventKind::lock_wait);
  PyThread_release_lock(lock);
  helper.finish();
  const std::string result =
      waited ? check_lock_wait(session, helper, self, reinterpret_cast<std::uintptr_t>(lock),
                               {LockKind::thread_lock, LockKind::mutex})
             : not_measured("the wait was not seen");
  PyThread_free_lock(lock);
  return result;
}

std::string test_object_lock([[maybe_unused]] Session& session,
                             [[maybe_unused]] std::uint32_t self) {
#ifdef Py_GIL_DISABLED
  if (gilscope_gil_enabled() != 0) return "not applicable: the GIL is switched on";
  PyObject* dict = PyDict_New();
  if (dict == nullptr) {
    PyErr_Clear();
    return not_measured("no object could be made");
  }
  // The bare mutex, not a critical section: that one would be given up while this thread is
  // detached, which it is so that a stop-the-world pause of somebody else cannot block us both.
  PyMutex_Lock(&dict->ob_mutex);
  PyThreadState* state = PyEval_SaveThread();
  Helper helper(session, [dict] {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyCriticalSection section;
    PyCriticalSection_Begin(&section, dict);
    PyCriticalSection_End(&section);
    PyGILState_Release(entered);
  });
  const bool waited = helper.is_waiting(EventKind::lock_wait);
  PyMutex_Unlock(&dict->ob_mutex);
  helper.finish();
  PyEval_RestoreThread(state);
  const std::string result =
      waited
          ? check_lock_wait(session, helper, self,
                            reinterpret_cast<std::uintptr_t>(&dict->ob_mutex), {LockKind::object})
          : not_measured("the wait was not seen");
  Py_DECREF(dict);
  return result;
#else
  return "not applicable: a stock build has no object locks";
#endif
}

// A thread that joins another one, which ends when a lock is given back to it.
std::string test_join(Session& session) {
  PyObject* module = PyImport_ImportModule("_thread");
  PyObject* lock =
      module != nullptr ? PyObject_CallMethod(module, "allocate_lock", nullptr) : nullptr;
  PyObject* acquire = lock != nullptr ? PyObject_GetAttrString(lock, "acquire") : nullptr;
  PyObject* taken = acquire != nullptr ? PyObject_CallNoArgs(acquire) : nullptr;
  PyObject* joined = taken != nullptr
                         ? PyObject_CallMethod(module, "start_joinable_thread", "O", acquire)
                         : nullptr;
  bool waited = false;
  std::uint32_t index = 0;
  if (joined != nullptr) {
    PyThreadState* state = PyEval_SaveThread();
    Helper helper(session, [joined] {
      const PyGILState_STATE entered = PyGILState_Ensure();
      parking::learn_join();
      Py_XDECREF(PyObject_CallMethod(joined, "join", nullptr));
      PyErr_Clear();
      PyGILState_Release(entered);
    });
    waited = helper.is_waiting(EventKind::lock_wait);
    PyEval_RestoreThread(state);
    Py_XDECREF(PyObject_CallMethod(lock, "release", nullptr));
    state = PyEval_SaveThread();
    helper.finish();
    PyEval_RestoreThread(state);
    index = helper.index();
  }
  PyErr_Clear();
  for (PyObject* object : {joined, taken, acquire, lock, module}) Py_XDECREF(object);
  if (!waited) return not_measured("the wait was not seen");
  if (!parking::knows_join()) return not_measured("it looks like a wait for any event");
  for (const EventRecord& wait : records_of(session, index, EventKind::lock_wait)) {
    const auto found = lock_with(session, wait.what);
    if (found && found->kind == static_cast<std::uint16_t>(LockKind::thread_end)) return "ok";
  }
  return not_measured("it was taken for something else");
}

// Through the hook, as an extension would: our own calls are not hooked.
std::string test_native_lock(Session& session, std::uint32_t self) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  Helper helper(session, [&mutex] {
    hooks::native_locks::mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  });
  const bool waited = helper.is_waiting(EventKind::lock_wait);
  pthread_mutex_unlock(&mutex);
  helper.finish();
  if (!waited) return not_measured("the wait was not seen");
  // Its peer is the thread that held the mutex, which is the one that ended the wait, too.
  return check_lock_wait(session, helper, self, reinterpret_cast<std::uintptr_t>(&mutex),
                         {LockKind::native_mutex});
}

#ifdef Py_GIL_DISABLED

using hooks::spins::Calibration;

// A thread runs into `mutex`, which this one holds, and sleeps in the end. False when it did not.
bool contend(Session& session, PyMutex* mutex, const std::function<void()>& run_into_it) {
  PyMutex_Lock(mutex);
  PyThreadState* state = PyEval_SaveThread();
  Helper helper(session, run_into_it);
  const bool waited = helper.is_waiting(EventKind::lock_wait);
  PyMutex_Unlock(mutex);
  helper.finish();
  PyEval_RestoreThread(state);
  return waited;
}

// The function itself: PyMutex_Lock() of the headers is inline and calls it when it must wait.
#undef PyMutex_Lock
void* function_that_locks() { return reinterpret_cast<void*>(&PyMutex_Lock); }
#define PyMutex_Lock _PyMutex_Lock

void learn_mutex(Session& session) {
  PyMutex mutex{};
  contend(session, &mutex, [&mutex] {
    Calibration::expect(reinterpret_cast<std::uintptr_t>(&mutex));
    Calibration::call(function_that_locks(), &mutex, nullptr);
    Calibration::expect(0);
    PyMutex_Unlock(&mutex);
  });
}

void learn_object(Session& session, PyObject* object) {
  contend(session, &object->ob_mutex, [object] {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyCriticalSection section;
    Calibration::expect(reinterpret_cast<std::uintptr_t>(&object->ob_mutex));
    Calibration::call(reinterpret_cast<void*>(&PyCriticalSection_Begin), &section, object);
    Calibration::expect(0);
    PyCriticalSection_End(&section);
    PyGILState_Release(entered);
  });
}

void learn_two_objects(Session& session, PyObject* held, PyObject* other) {
  contend(session, &held->ob_mutex, [held, other] {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyCriticalSection2 section;
    Calibration::expect(reinterpret_cast<std::uintptr_t>(&held->ob_mutex));
    Calibration::call(reinterpret_cast<void*>(&PyCriticalSection2_Begin), &section, held, other);
    Calibration::expect(0);
    PyCriticalSection2_End(&section);
    PyGILState_Release(entered);
  });
}

// A threading.Lock or RLock, where it has a mutex in it.
void learn_lock_object(Session& session, const char* factory) {
  PyObject* module = PyImport_ImportModule("_thread");
  PyObject* lock = module != nullptr ? PyObject_CallMethod(module, factory, nullptr) : nullptr;
  PyObject* acquire = lock != nullptr ? PyObject_GetAttrString(lock, "acquire") : nullptr;
  PyObject* release = lock != nullptr ? PyObject_GetAttrString(lock, "release") : nullptr;
  PyObject* result = acquire != nullptr ? PyObject_CallNoArgs(acquire) : nullptr;
  if (result != nullptr && release != nullptr) {
    PyThreadState* state = PyEval_SaveThread();
    Helper helper(session, [lock, acquire, release] {
      const PyGILState_STATE entered = PyGILState_Ensure();
      Calibration::expect(reinterpret_cast<std::uintptr_t>(lock) + sizeof(PyObject));
      Calibration::call(reinterpret_cast<void*>(&PyObject_CallNoArgs), acquire, nullptr);
      Calibration::expect(0);
      Py_XDECREF(PyObject_CallNoArgs(release));
      PyGILState_Release(entered);
    });
    helper.is_waiting(EventKind::lock_wait);
    PyEval_RestoreThread(state);
    Py_XDECREF(PyObject_CallNoArgs(release));
    state = PyEval_SaveThread();
    helper.finish();
    PyEval_RestoreThread(state);
  }
  PyErr_Clear();
  for (PyObject* object : {result, release, acquire, lock, module}) Py_XDECREF(object);
}

// Through each function that can wait for a lock, on several locks.
Calibration::Result learn_spins(Session& session) {
  const Calibration calibration;
  for (int i = 0; i < 2; ++i) learn_mutex(session);
  if (gilscope_gil_enabled() != 0) return Calibration::finish();
  for (int i = 0; i < 2; ++i) {
    PyObject* first = PyDict_New();
    PyObject* second = PyDict_New();
    if (first != nullptr && second != nullptr) {
      learn_object(session, first);
      learn_object(session, second);
      learn_two_objects(session, first, second);
      learn_two_objects(session, second, first);
    }
    PyErr_Clear();
    Py_XDECREF(first);
    Py_XDECREF(second);
    learn_lock_object(session, "allocate_lock");
    learn_lock_object(session, "RLock");
  }
  return Calibration::finish();
}

std::string check_spin(Session& session, bool proven) {
  PyMutex mutex{};
  std::atomic<std::uint32_t> index{0};
  const bool waited = contend(session, &mutex, [&mutex, &index] {
    {
      Recording recording;
      if (recording) index = recording.log().index;
    }
    PyMutex_Lock(&mutex);
    PyMutex_Unlock(&mutex);
  });
  if (!waited) return not_measured("the wait was not seen");
  const auto spins = records_of(session, index, EventKind::spin);
  if (spins.size() != 1 || spins.front().aux < 2) return not_measured("a spin was not seen");
  const auto lock = lock_with(session, spins.front().what);
  if (!lock) return not_measured("the lock has no definition");
  if (lock->address != (proven ? reinterpret_cast<std::uintptr_t>(&mutex) : 0)) {
    return not_measured("the address decoded is not the lock's");
  }
  return "ok";
}

#endif

void test_spin([[maybe_unused]] Session& session, SelfTestResult& result) {
#ifdef Py_GIL_DISABLED
  const Calibration::Result learnt = learn_spins(session);
  result["spin"] = learnt.sites == 0
                       ? not_measured("no lock was seen to yield the processor before it sleeps")
                       : check_spin(session, learnt.proven == learnt.sites);
  if (learnt.sites != 0) {
    result["spin_lock"] = learnt.proven == learnt.sites
                              ? "ok"
                              : not_measured("no register is proven to hold the lock's address");
  }
#else
  result["spin"] = "not applicable: a stock build goes to sleep at once";
#endif
}

// The stack of whoever runs the test, seen before. The fastest of some rounds: what else the
// machine does is not the probe's cost. Femtoseconds.
std::uint64_t measure_stack_cost() {
  constexpr int kRounds = 20;
  constexpr int kCaptures = 50;
  std::uint64_t cost = 0;
  gilscope_watch_codes();
  Recording recording;
  if (recording && stack::capture(recording, __builtin_frame_address(0)) != 0) {
    std::uint64_t best = UINT64_MAX;
    for (int round = 0; round < kRounds; ++round) {
      const std::uint64_t begin = nanoseconds(CLOCK_MONOTONIC);
      for (int i = 0; i < kCaptures; ++i) stack::capture(recording, __builtin_frame_address(0));
      best = std::min(best, nanoseconds(CLOCK_MONOTONIC) - begin);
    }
    cost = best * 1'000'000 / kCaptures;
  }
  gilscope_unwatch_codes();
  return cost;
}

SelfTestResult test_classes(Session& session) {
  std::uint32_t self = 0;
  {
    Recording recording;
    if (recording) self = recording.log().index;
  }
  SelfTestResult result;
  result["gil"] = test_gil(session, self);
  result["mutex"] = test_mutex(session, self);
  result["thread_lock"] = test_thread_lock(session, self);
  result["object_lock"] = test_object_lock(session, self);
  result["native_lock"] = test_native_lock(session, self);
  result["thread_end"] = test_join(session);
  test_spin(session, result);
  return result;
}

}  // namespace

SelfTestReport run_self_test(const ElfImage& interpreter) {
  hooks::classes = {};
  complete = true;
  SessionOptions options{
      "",  4 << 20, gilscope_is_free_threaded() != 0, gilscope_gil_enabled() != 0, PY_VERSION_HEX,
      "{}"};
  auto* session = new Session(options);
  hooks::begin_session(*session, options.gil_enabled);
  session->activate();
  SelfTestReport report;
  report.stack_cost = measure_stack_cost();
  complete = parking::learn_sites() && complete;
  report.outcomes = test_classes(*session);
  report.park_sites = parking::learnt_park_sites();
  report.join_stack = parking::learnt_join_stack(interpreter);
  report.spin_sites = hooks::spins::sites_in_use(interpreter);
  if (report.join_stack.empty() && report.outcomes["thread_end"] == "ok") {
    report.outcomes["thread_end"] = not_measured("it is not the interpreter that waits");
  }
  report.pair_cost = cost::pair();
  report.complete = complete;
  if (session->deactivate()) {
    session->finish("stop", options.gil_enabled);
    delete session;
  } else {
    session->file().abandon();
  }
  return report;
}

}  // namespace gilscope
