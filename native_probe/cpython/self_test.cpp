#include "cpython/self_test.hpp"

#include <Python.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "core/session.hpp"
#include "cpython/layout.h"
#include "cpython/park_sites.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope {
namespace {

using format::EventKind;
using format::EventRecord;
using format::LockKind;

constexpr std::uint64_t kPatience = 2'000'000'000;  // ns; far more than any of this takes

// A second thread that runs `body`, and the slot that it has in the session.
class Helper {
 public:
  Helper(Session& session, std::function<void()> body) : session_(session), body_(std::move(body)) {
    started_ = pthread_create(&thread_, nullptr, main, this) == 0;
  }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() { finish(); }

  // Waits until the thread stands in a wait of this kind; false when that never happened.
  bool is_waiting(EventKind kind) {
    const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
    while (nanoseconds(CLOCK_MONOTONIC) < deadline) {
      const std::uint32_t i = index_.load(std::memory_order_acquire);
      const format::ThreadSlot* slot = i != 0 ? session_.slot_at(i) : nullptr;
      if (slot != nullptr && __atomic_load_n(&slot->open_wait, __ATOMIC_ACQUIRE) != 0 &&
          slot->open_wait_kind == static_cast<std::uint32_t>(kind)) {
        return true;
      }
      sched_yield();
    }
    return false;
  }

  void finish() {
    if (!started_) return;
    pthread_join(thread_, nullptr);
    started_ = false;
  }

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
  session.file().for_each_chunk([&](const format::ChunkHeader& chunk) {
    if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::events) ||
        chunk.thread != thread) {
      return;
    }
    const auto* record = reinterpret_cast<const EventRecord*>(&chunk + 1);
    const auto* end = record + (chunk.size - sizeof chunk) / sizeof *record;
    for (; record < end && record->kind != 0; ++record) {
      if (record->kind == static_cast<std::uint8_t>(kind)) found.push_back(*record);
    }
  });
  return found;
}

struct LockBody {
  std::uint32_t id;
  std::uint16_t kind;
  std::uint16_t reserved;
  std::uint64_t address;
  std::uint64_t object;
};

std::optional<LockBody> lock_with(const Session& session, std::uint32_t id) {
  std::optional<LockBody> found;
  session.file().for_each_chunk([&](const format::ChunkHeader& chunk) {
    if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::definitions)) return;
    const char* at = reinterpret_cast<const char*>(&chunk + 1);
    const char* end = reinterpret_cast<const char*>(&chunk) + chunk.size;
    while (at + sizeof(format::DefinitionHeader) < end) {
      const auto* header = reinterpret_cast<const format::DefinitionHeader*>(at);
      if (header->tag == 0) return;
      const auto* body = reinterpret_cast<const LockBody*>(header + 1);
      if (header->tag == static_cast<std::uint16_t>(format::DefinitionTag::lock) &&
          body->id == id) {
        found = *body;
      }
      at += header->length;
    }
  });
  return found;
}

std::string not_measured(const char* why) { return std::string("not measured: ") + why; }

// What the helper's only wait for a lock was, against what it must have been.
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
  while (!ready) sched_yield();
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

bool failed(const std::string& result) { return result.rfind("not measured", 0) == 0; }

}  // namespace

SelfTestResult run_self_test() {
  hooks::classes = {};
  SessionOptions options{
      "",  4 << 20, gilscope_is_free_threaded() != 0, gilscope_gil_enabled() != 0, PY_VERSION_HEX,
      "{}"};
  auto* session = new Session(options);
  hooks::begin_session(*session, options.gil_enabled);
  session->activate();
  std::uint32_t self = 0;
  {
    Recording recording;
    if (recording) self = recording.log().index;
  }
  parking::learn_sites();
  SelfTestResult result;
  result["gil"] = test_gil(*session, self);
  result["mutex"] = test_mutex(*session, self);
  result["thread_lock"] = test_thread_lock(*session, self);
  result["object_lock"] = test_object_lock(*session, self);
  hooks::classes.gil = !failed(result["gil"]);
  hooks::classes.parked = !failed(result["mutex"]);
  hooks::classes.thread_lock = !failed(result["thread_lock"]);
  hooks::classes.object = !failed(result["object_lock"]);
  if (session->deactivate()) {
    session->finish("stop", options.gil_enabled);
    delete session;
  } else {
    session->file().abandon();
  }
  return result;
}

}  // namespace gilscope
