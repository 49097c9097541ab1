#include "hooks/order_native.hpp"

#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/got_patcher.hpp"
#include "core/loaded_objects.hpp"
#include "core/native_stack.hpp"
#include "cpython/layout.h"
#include "cpython/order_session.hpp"
#include "hooks/callbacks.hpp"
#include "hooks/calls.hpp"
#include "hooks/order_record.hpp"
#include "hooks/order_scopes.hpp"

extern "C" void gilscope_order_condition_variable_wait(void* condition, void* lock) __asm__(
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
extern "C" void gilscope_order_notify_one(void* condition) __asm__(
    "_ZNSt18condition_variable10notify_oneEv");
extern "C" void gilscope_order_notify_all(void* condition) __asm__(
    "_ZNSt18condition_variable10notify_allEv");

namespace gilscope::order::native {
namespace {

using KnownObjects = std::shared_ptr<const LoadedObjects>;

struct State {
  std::mutex patching;
  GotPatcher patcher;
  KnownObjects objects;  // those that were patched, kept loaded
  std::shared_ptr<native_stack::Table> withdrawn;
  bool wanted = false;
  std::atomic<std::uintptr_t> gil_taken{0};  // the condition that is signalled then
};
State& the_state = *new State;
State& state() { return the_state; }

// --- Threads
// --------------------------------------------------------------------------------------

struct Start {
  void* (*routine)(void*);
  void* argument;
  bool is_native;
  Point from;
};

void* run(void* data) {
  auto* given = static_cast<Start*>(data);
  const Start start = *given;
  delete given;
  if (Session* session = Session::active()) {
    session->recorder().forget(pthread_self());  // a thread that had the same handle
    session->enter(start.from);
    session->thread()->is_native = start.is_native;
  }
  return start.routine(start.argument);
}

int create_thread(pthread_t* handle, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument, bool is_native) {
  Session* session = Session::active();
  if (session == nullptr) return pthread_create(handle, attributes, routine, argument);
  auto* start = new (std::nothrow) Start{routine, argument, is_native, {}};
  if (start == nullptr) return pthread_create(handle, attributes, routine, argument);
  session->recorder().set_has_threads();
  record([start](Session&, Thread& thread) { start->from = Recorder::tell(thread); });
  const int result = pthread_create(handle, attributes, run, start);
  if (result != 0) delete start;
  return result;
}

int create(pthread_t* handle, const pthread_attr_t* attributes, void* (*routine)(void*),
           void* argument) {
  return create_thread(handle, attributes, routine, argument, true);
}
int create_within_interpreter(pthread_t* handle, const pthread_attr_t* attributes,
                              void* (*routine)(void*), void* argument) {
  return create_thread(handle, attributes, routine, argument, false);
}

int join(pthread_t handle, void** value) {
  record([handle](Session& session, Thread& thread) {
    Lock* ended = session.recorder().find(thread, handle, Kind::thread);
    session.recorder().wait(thread, ended, nullptr, Session::is_attached());
  });
  const int result = pthread_join(handle, value);
  if (result == 0) {
    record([handle](Session& session, Thread& thread) {
      session.native_thread_joined(thread, handle);
    });
  }
  return result;
}

// --- Locks
// ----------------------------------------------------------------------------------------

struct Use {
  const void* lock;
  const void* at;  // who called
  Kind kind = Kind::mutex;
  bool shared = false;
};

void asks(const Use& use, Mode mode) {
  record([&use, mode](Session& session, Thread& thread) {
    Recorder& recorder = session.recorder();
    Lock* lock = recorder.find(thread, number(use.lock), use.kind);
    const bool has_gil = Session::is_attached();
    recorder.ask(thread, lock, mode, use.shared, session.place_of(use.at), has_gil);
  });
}

int noted(int result, const Use& use) {
  if (result != 0 && result != EOWNERDEAD) return result;
  record([&use](Session& session, Thread& thread) {
    Lock* lock = session.recorder().find(thread, number(use.lock), use.kind);
    session.recorder().acquired(thread, lock, use.shared, session.place_of(use.at));
    hooks::calls::set_wanted(thread.native_held != 0);
  });
  return result;
}

void releases(const void* address, Kind kind) {
  record([address, kind](Session& session, Thread& thread) {
    Lock* lock = session.recorder().find(thread, number(address), kind);
    session.recorder().released(thread, lock, false);
    hooks::calls::set_wanted(thread.native_held != 0);
  });
}

// A condition is waited for while the lock is given back.
void waits(const void* condition, const void* lock, bool has_limit) {
  if (has_limit) return;
  record([condition, lock](Session& session, Thread& thread) {
    Recorder& recorder = session.recorder();
    const Lock* given_back = recorder.find(thread, number(lock), Kind::mutex);
    Lock* awaited = recorder.find(thread, number(condition), Kind::condition);
    recorder.wait(thread, awaited, given_back, Session::is_attached());
  });
}

void notifies(const void* condition) {
  record([condition](Session& session, Thread& thread) {
    Lock* awaited = session.recorder().find(thread, number(condition), Kind::condition);
    Recorder::provide(thread, awaited);
  });
}

int mutex_lock(pthread_mutex_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::mutex, false};
  asks(use, Mode::blocking);
  return noted(pthread_mutex_lock(lock), use);
}
int mutex_trylock(pthread_mutex_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::mutex, false};
  asks(use, Mode::attempt);
  return noted(pthread_mutex_trylock(lock), use);
}
int mutex_timedlock(pthread_mutex_t* lock, const timespec* until) {
  const Use use{lock, __builtin_return_address(0), Kind::mutex, false};
  asks(use, Mode::timed);
  return noted(pthread_mutex_timedlock(lock, until), use);
}
int mutex_clocklock(pthread_mutex_t* lock, clockid_t clock, const timespec* until) {
  const Use use{lock, __builtin_return_address(0), Kind::mutex, false};
  asks(use, Mode::timed);
  return noted(pthread_mutex_clocklock(lock, clock, until), use);
}
int read_lock(pthread_rwlock_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, true};
  asks(use, Mode::blocking);
  return noted(pthread_rwlock_rdlock(lock), use);
}
int try_read_lock(pthread_rwlock_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, true};
  asks(use, Mode::attempt);
  return noted(pthread_rwlock_tryrdlock(lock), use);
}
int timed_read_lock(pthread_rwlock_t* lock, const timespec* until) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, true};
  asks(use, Mode::timed);
  return noted(pthread_rwlock_timedrdlock(lock, until), use);
}
int write_lock(pthread_rwlock_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, false};
  asks(use, Mode::blocking);
  return noted(pthread_rwlock_wrlock(lock), use);
}
int try_write_lock(pthread_rwlock_t* lock) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, false};
  asks(use, Mode::attempt);
  return noted(pthread_rwlock_trywrlock(lock), use);
}
int timed_write_lock(pthread_rwlock_t* lock, const timespec* until) {
  const Use use{lock, __builtin_return_address(0), Kind::rwlock, false};
  asks(use, Mode::timed);
  return noted(pthread_rwlock_timedwrlock(lock, until), use);
}
int mutex_unlock(pthread_mutex_t* lock) {
  releases(lock, Kind::mutex);
  return pthread_mutex_unlock(lock);
}
int rwlock_unlock(pthread_rwlock_t* lock) {
  releases(lock, Kind::rwlock);
  return pthread_rwlock_unlock(lock);
}
int mutex_destroy(pthread_mutex_t* lock) {
  if (Session* session = Session::active()) session->recorder().forget(number(lock));
  return pthread_mutex_destroy(lock);
}
int rwlock_destroy(pthread_rwlock_t* lock) {
  if (Session* session = Session::active()) session->recorder().forget(number(lock));
  return pthread_rwlock_destroy(lock);
}

// The lock is given back and taken again: it is held where it was before.
template <typename Wait>
auto waited(const void* condition, const void* mutex, bool has_limit, const void* at, Wait wait) {
  const Use use{mutex, at};
  waits(condition, mutex, has_limit);
  releases(mutex, Kind::mutex);
  if constexpr (std::is_void_v<decltype(wait())>) {
    wait();
    noted(0, use);
  } else {
    const int result = wait();
    noted(0, use);
    return result;
  }
}

int condition_wait(pthread_cond_t* condition, pthread_mutex_t* lock) {
  return waited(condition, lock, false, __builtin_return_address(0),
                [=] { return pthread_cond_wait(condition, lock); });
}
int condition_timedwait(pthread_cond_t* condition, pthread_mutex_t* lock, const timespec* until) {
  return waited(condition, lock, true, __builtin_return_address(0),
                [=] { return pthread_cond_timedwait(condition, lock, until); });
}
int condition_clockwait(pthread_cond_t* condition, pthread_mutex_t* lock, clockid_t clock,
                        const timespec* until) {
  return waited(condition, lock, true, __builtin_return_address(0),
                [=] { return pthread_cond_clockwait(condition, lock, clock, until); });
}
int condition_signal(pthread_cond_t* condition) {
  notifies(condition);
  return pthread_cond_signal(condition);
}
int condition_broadcast(pthread_cond_t* condition) {
  notifies(condition);
  return pthread_cond_broadcast(condition);
}
// A std::unique_lock begins with the address of its mutex, which is a pthread_mutex_t.
void condition_variable_wait(void* condition, void* lock) {
  waited(condition, *static_cast<void**>(lock), false, __builtin_return_address(0),
         [=] { gilscope_order_condition_variable_wait(condition, lock); });
}
void notify_one(void* condition) {
  notifies(condition);
  gilscope_order_notify_one(condition);
}
void notify_all(void* condition) {
  notifies(condition);
  gilscope_order_notify_all(condition);
}

// --- The GIL
// --------------------------------------------------------------------------------------

// Before native code takes the GIL.
void asks_gil(const void* at) {
  if (Session::is_attached()) return;
  record([at](Session& session, Thread& thread) {
    Recorder& recorder = session.recorder();
    thread.has_asked_gil = true;
    thread.calls_python = true;
    if (thread.is_native && recorder.is_ending()) recorder.add_late_request(thread);
    recorder.ask(thread, recorder.gil(), Mode::blocking, false, session.place_of(at), false);
  });
}
// It has taken it or lets it go.
void turns() {
  record([](Session&, Thread& thread) {
    ++thread.gil_turn;
    thread.has_asked_gil = false;
  });
}
// The interpreter signals this condition when a thread has taken the GIL: code of its own, such as
// a function that waits, had let it go.
int signal_within_interpreter(pthread_cond_t* condition) {
  if (number(condition) == state().gil_taken.load(std::memory_order_relaxed)) {
    record([](Session& session, Thread& thread) {
      if (thread.has_asked_gil) return;
      ++thread.gil_turn;
      if (thread.native_held == 0) return;
      Recorder& recorder = session.recorder();
      recorder.ask(thread, recorder.gil(), Mode::blocking, false, 0, false);
    });
  }
  return pthread_cond_signal(condition);
}

PyGILState_STATE ensure() {
  asks_gil(__builtin_return_address(0));
  const PyGILState_STATE before = PyGILState_Ensure();
  turns();
  return before;
}
void release(PyGILState_STATE before) {
  turns();
  PyGILState_Release(before);
}
PyThreadState* save_thread() {
  turns();
  return PyEval_SaveThread();
}
void restore_thread(PyThreadState* tstate) {
  asks_gil(__builtin_return_address(0));
  PyEval_RestoreThread(tstate);
  turns();
}
void acquire_thread(PyThreadState* tstate) {
  asks_gil(__builtin_return_address(0));
  PyEval_AcquireThread(tstate);
  turns();
}
void release_thread(PyThreadState* tstate) {
  turns();
  PyEval_ReleaseThread(tstate);
}

// --- Slots
// ----------------------------------------------------------------------------------------

template <typename Replacement, typename Real>
Hook hook(std::string_view symbol, Replacement* replacement, Real* real) {
  return {symbol, reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(real)};
}

void* open_object(const char* file, int flags);

std::vector<Hook> start_hooks(bool is_interpreter) {
  return {
      hook("pthread_create", is_interpreter ? create_within_interpreter : create, pthread_create)};
}
std::vector<Hook> join_hooks() { return {hook("pthread_join", join, pthread_join)}; }

std::vector<Hook> gil_hooks() {
  return {
      hook("PyGILState_Ensure", ensure, PyGILState_Ensure),
      hook("PyGILState_Release", release, PyGILState_Release),
      hook("PyEval_SaveThread", save_thread, PyEval_SaveThread),
      hook("PyEval_RestoreThread", restore_thread, PyEval_RestoreThread),
      hook("PyEval_AcquireThread", acquire_thread, PyEval_AcquireThread),
      hook("PyEval_ReleaseThread", release_thread, PyEval_ReleaseThread),
  };
}

std::vector<Hook> lock_hooks() {
  return {
      hook("pthread_mutex_lock", mutex_lock, pthread_mutex_lock),
      hook("pthread_mutex_trylock", mutex_trylock, pthread_mutex_trylock),
      hook("pthread_mutex_timedlock", mutex_timedlock, pthread_mutex_timedlock),
      hook("pthread_mutex_clocklock", mutex_clocklock, pthread_mutex_clocklock),
      hook("pthread_rwlock_rdlock", read_lock, pthread_rwlock_rdlock),
      hook("pthread_rwlock_tryrdlock", try_read_lock, pthread_rwlock_tryrdlock),
      hook("pthread_rwlock_timedrdlock", timed_read_lock, pthread_rwlock_timedrdlock),
      hook("pthread_rwlock_wrlock", write_lock, pthread_rwlock_wrlock),
      hook("pthread_rwlock_trywrlock", try_write_lock, pthread_rwlock_trywrlock),
      hook("pthread_rwlock_timedwrlock", timed_write_lock, pthread_rwlock_timedwrlock),
      hook("pthread_mutex_unlock", mutex_unlock, pthread_mutex_unlock),
      hook("pthread_mutex_destroy", mutex_destroy, pthread_mutex_destroy),
      hook("pthread_rwlock_unlock", rwlock_unlock, pthread_rwlock_unlock),
      hook("pthread_rwlock_destroy", rwlock_destroy, pthread_rwlock_destroy),
  };
}

std::vector<Hook> condition_hooks() {
  return {
      hook("pthread_cond_wait", condition_wait, pthread_cond_wait),
      hook("pthread_cond_timedwait", condition_timedwait, pthread_cond_timedwait),
      hook("pthread_cond_clockwait", condition_clockwait, pthread_cond_clockwait),
      hook("pthread_cond_signal", condition_signal, pthread_cond_signal),
      hook("pthread_cond_broadcast", condition_broadcast, pthread_cond_broadcast),
      hook("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", condition_variable_wait,
           gilscope_order_condition_variable_wait),
      hook("_ZNSt18condition_variable10notify_oneEv", notify_one, gilscope_order_notify_one),
      hook("_ZNSt18condition_variable10notify_allEv", notify_all, gilscope_order_notify_all),
  };
}

bool has_part(const ElfImage& image, const char* part) {
  return image.path().find(part) != std::string::npos;
}

bool is_left_alone(const ElfImage& image) {
  return image.contains(reinterpret_cast<const void*>(&has_part)) || has_part(image, "/libc.so") ||
         has_part(image, "/libpthread.so") || has_part(image, "/ld-linux") ||
         has_part(image, "/gilscope/_probe");
}

ElfImage interpreter_image() {
  return ElfImage::containing(reinterpret_cast<const void*>(&PyEval_SaveThread));
}

GotPatcher::Plan plan_for(const ElfImage& image, bool is_interpreter) {
  HookTable hooks(start_hooks(is_interpreter));
  // Joins of Python's threads are seen where they are asked for.
  if (!is_interpreter) hooks.add(join_hooks());
  const bool is_runtime = has_part(image, "/libstdc++.so") || has_part(image, "/libgcc_s.so");
  if (!is_runtime && !is_interpreter) {
    hooks.add(lock_hooks());
    hooks.add(condition_hooks());
    hooks.add(gil_hooks());
    hooks.add(hooks::calls::hooks());
    hooks.add(initialisation_hooks());
    hooks.add(section_hooks());
  }
  if (!is_runtime) hooks.add(loader_hooks());
  if (is_interpreter || has_part(image, "/_ctypes.")) hooks.add({lookup_hook()});
  if (is_interpreter) {
    hooks.add({hook("pthread_cond_signal", signal_within_interpreter, pthread_cond_signal)});
  }
  if (!image.has_search_path()) hooks.add({hook("dlopen", open_object, dlopen)});
  return GotPatcher::plan(image, hooks);
}

// One look at the loaded objects; false when another thread has been faster. The loader is asked
// while no lock of ours is held.
bool look_once() {
  State& all = state();
  KnownObjects before;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    if (!all.wanted) return true;
    before = all.objects;
  }
  KnownObjects now = LoadedObjects::look(before.get());
  std::shared_ptr<native_stack::Table> table = native_stack::make_table(now);
  const ElfImage interpreter = interpreter_image();
  std::list<GotPatcher::Plan> plans;
  for (const auto& object : now->all()) {
    if (is_left_alone(object->image) || (before != nullptr && before->has(*object))) continue;
    GotPatcher::Plan plan = plan_for(object->image, object->image.is_same(interpreter));
    if (!plan.empty()) plans.push_back(std::move(plan));
  }
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(all.patching);
  if (!all.wanted) return true;
  if (all.objects != before) return false;
  native_stack::publish(std::move(table));
  all.objects.swap(now);
  all.patcher.patch(plans, pages);
  return true;
}

void look() {
  while (!look_once()) {
  }
}

// Whether the handle is of an object that was there at the last look.
bool is_known(void* handle) {
  State& all = state();
  KnownObjects known;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    known = all.objects;
  }
  return known != nullptr && known->has_handle(handle);
}

void* load(const char* file, int flags, const void* at) {
  const Loading loading(at);
  return dlopen(file, flags);
}

void* open_object(const char* file, int flags) {
  void* handle = load(file, flags, __builtin_return_address(0));
  if (handle == nullptr || Session::active() == nullptr) return handle;
  const ErrnoKept kept;
  // Where nothing was loaded, the loader's lock, which dlopen() did not take for that, may be held
  // by a thread that waits for the GIL.
  if (!is_known(handle)) look();
  dlerror();  // what went wrong in there, if anything, is not the program's
  return handle;
}

}  // namespace

bool install(std::uintptr_t gil) {
  State& all = state();
  gilscope_gil_layout layout{};
  gilscope_find_gil_layout(&layout);
  all.gil_taken.store(gil != 0 ? gil + layout.switch_cond : 0, std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    all.wanted = true;
  }
  look();
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(all.patching);
  all.patcher.verify(pages);
  for (const gilscope::Slot& slot : interpreter_image().slots()) {
    if (slot.symbol == "pthread_create" &&
        *slot.address == reinterpret_cast<void*>(&create_within_interpreter)) {
      return true;
    }
  }
  return false;
}

std::size_t remove() {
  State& all = state();
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    all.wanted = false;
  }
  const PageProtections pages;
  std::list<GotPatcher::Plan> plans;
  KnownObjects objects;
  std::size_t left = 0;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    left = all.patcher.restore(pages);
    plans = all.patcher.forget();
    objects.swap(all.objects);
  }
  all.withdrawn = native_stack::withdraw();  // kept: a walk may be under way
  return left;
}

void after_fork_in_child() {
  State& all = state();
  new (&all.patching) std::mutex;
  if (!all.patcher.is_empty()) all.patcher.restore(PageProtections());
  all.wanted = false;
}

}  // namespace gilscope::order::native

namespace gilscope::order {
namespace {

bool is_function(PyObject* object) { return object != nullptr && PyFunction_Check(object); }

// A function in Python that the type has under this name, as a new reference; nullptr: it has none.
PyObject* method_of(PyTypeObject* type, PyObject* name) {
  PyObject* found = name != nullptr ? _PyType_LookupRef(type, name) : nullptr;
  if (is_function(found)) return found;
  Py_XDECREF(found);
  return nullptr;
}

PyObject* method_of(PyTypeObject* type, const char* name) {
  PyObject* text = PyUnicode_InternFromString(name);
  PyObject* found = method_of(type, text);
  Py_XDECREF(text);
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  return found;
}

// The function in Python that a call runs, as a new reference; nullptr: it runs none.
PyObject* python_of(const hooks::callbacks::Call& call) {
  auto* object = static_cast<PyObject*>(call.object);
  if (object == nullptr) {
    auto* self = static_cast<PyObject*>(call.self);
    if (self == nullptr) return nullptr;
    if (call.text != nullptr) return method_of(Py_TYPE(self), call.text);
    return method_of(Py_TYPE(self), static_cast<PyObject*>(call.name));
  }
  if (PyMethod_Check(object)) object = PyMethod_GET_FUNCTION(object);
  if (is_function(object)) return Py_NewRef(object);
  if (PyType_Check(object)) return method_of(reinterpret_cast<PyTypeObject*>(object), "__init__");
  return method_of(Py_TYPE(object), "__call__");
}

}  // namespace

void note_call(const hooks::callbacks::Call& call) {
  Session* session = Session::active();
  Thread* thread = session != nullptr ? session->thread() : nullptr;
  if (thread == nullptr || thread->native_held == 0) return hooks::calls::set_wanted(false);
  if (!Session::is_attached()) return;
  const Inside inside(thread);
  if (!inside) return;
  PyObject* function = python_of(call);
  if (function == nullptr) return;
  Recorder& recorder = session->recorder();
  session->set_callee(reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function)));
  const PlaceId at = session->place(*thread);
  recorder.ask(*thread, recorder.gil(), Mode::blocking, false, at, false);
  session->set_callee(nullptr);
  Py_DECREF(function);
}

}  // namespace gilscope::order

// Python code that native code calls with a lock of its own held lets the GIL go sooner or later,
// and then asks for it with that lock held.
namespace gilscope::hooks::callbacks {

void called(const Call& call, const void*) { order::note_call(call); }

}  // namespace gilscope::hooks::callbacks
