#include "hooks/order_scopes.hpp"

#include <Python.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <cstring>

#include "hooks/calls.hpp"
#include "hooks/order_record.hpp"

extern "C" int gilscope_order_guard_acquire(void* guard) __asm__("__cxa_guard_acquire");
extern "C" void gilscope_order_guard_release(void* guard) __asm__("__cxa_guard_release");
extern "C" void gilscope_order_guard_abort(void* guard) __asm__("__cxa_guard_abort");

namespace gilscope::order::native {
namespace {

// The loader has two locks: one for whoever loads or unloads, constructors and destructors
// included, and one for the list of what is loaded, which callbacks of dl_iterate_phdr() run with.
const char loading = 0;
const char list = 0;

Lock* lock_of(Session& session, Thread& thread, const void* address, Kind kind) {
  Lock* lock = session.recorder().find(thread, number(address), kind);
  if (kind == Kind::loader && lock->info.name.empty()) {
    lock->info.name = address == &list ? "the lock of the dynamic loader's list"
                                       : "the lock of the dynamic loader";
  }
  return lock;
}

void asks(const void* address, Kind kind, const void* at) {
  record([=](Session& session, Thread& thread) {
    Lock* lock = lock_of(session, thread, address, kind);
    const bool has_gil = Session::is_attached();
    session.recorder().ask(thread, lock, Mode::blocking, false, session.place_of(at), has_gil);
  });
}

void holds(const void* address, Kind kind, const void* at) {
  record([=](Session& session, Thread& thread) {
    Lock* lock = lock_of(session, thread, address, kind);
    session.recorder().acquired(thread, lock, false, session.place_of(at));
    hooks::calls::set_wanted(thread.native_held != 0);
  });
}

void gives_back(const void* address, Kind kind) {
  record([=](Session& session, Thread& thread) {
    session.recorder().released(thread, lock_of(session, thread, address, kind), false);
    hooks::calls::set_wanted(thread.native_held != 0);
  });
}

// --- Statics of functions ------------------------------------------------------------------------

int guard_acquire(void* guard) {
  const void* at = __builtin_return_address(0);
  asks(guard, Kind::guard, at);
  const int is_ours = gilscope_order_guard_acquire(guard);
  if (is_ours != 0) holds(guard, Kind::guard, at);
  return is_ours;
}
void guard_release(void* guard) {
  gives_back(guard, Kind::guard);
  gilscope_order_guard_release(guard);
}
void guard_abort(void* guard) {
  gives_back(guard, Kind::guard);
  gilscope_order_guard_abort(guard);
}

// --- pthread_once() ------------------------------------------------------------------------------

// What the routine that runs for the first call needs: it takes no argument.
struct OnceCall {
  const void* control;
  const void* at;
  void (*routine)();
};
__attribute__((tls_model("initial-exec"))) thread_local OnceCall* once_call = nullptr;

class OnceHeld {
 public:
  explicit OnceHeld(const OnceCall& call) : control_(call.control) {
    holds(control_, Kind::once, call.at);
  }
  ~OnceHeld() { gives_back(control_, Kind::once); }
  OnceHeld(const OnceHeld&) = delete;
  OnceHeld& operator=(const OnceHeld&) = delete;

 private:
  const void* control_;
};

void run_once() {
  const OnceCall call = *once_call;
  const OnceHeld held(call);
  call.routine();  // may throw
}

class OnceCalled {
 public:
  explicit OnceCalled(OnceCall* call) : before_(once_call) { once_call = call; }
  ~OnceCalled() { once_call = before_; }
  OnceCalled(const OnceCalled&) = delete;
  OnceCalled& operator=(const OnceCalled&) = delete;

 private:
  OnceCall* before_;
};

int call_once(pthread_once_t* control, void (*routine)()) {
  if (Session::active() == nullptr) return pthread_once(control, routine);
  OnceCall call{control, __builtin_return_address(0), routine};
  asks(control, Kind::once, call.at);
  const OnceCalled called(&call);
  return pthread_once(control, run_once);
}

// --- Critical sections ---------------------------------------------------------------------------

#ifdef Py_GIL_DISABLED

// Named by the type. A later object at the address is taken for the same.
void asks_section(PyObject* object, const void* at) {
  record([=](Session& session, Thread& thread) {
    Lock* lock = session.recorder().find(thread, number(&object->ob_mutex), Kind::section);
    if (lock->info.name.empty()) lock->info.name = Py_TYPE(object)->tp_name;
    session.recorder().ask(thread, lock, Mode::blocking, false, session.place_of(at), false);
  });
}
void holds_section(const PyMutex* mutex, const void* at) {
  if (mutex != nullptr) holds(mutex, Kind::section, at);
}
void leaves_section(const PyMutex* mutex) {
  if (mutex != nullptr) gives_back(mutex, Kind::section);
}

void begin_section(PyCriticalSection* section, PyObject* object) {
  const void* at = __builtin_return_address(0);
  asks_section(object, at);
  PyCriticalSection_Begin(section, object);
  holds_section(section->_cs_mutex, at);
}
void end_section(PyCriticalSection* section) {
  leaves_section(section->_cs_mutex);
  PyCriticalSection_End(section);
}
void begin_section_of_two(PyCriticalSection2* section, PyObject* one, PyObject* other) {
  const void* at = __builtin_return_address(0);
  asks_section(one, at);
  if (other != one) asks_section(other, at);
  PyCriticalSection2_Begin(section, one, other);
  holds_section(section->_cs_base._cs_mutex, at);
  holds_section(section->_cs_mutex2, at);
}
void end_section_of_two(PyCriticalSection2* section) {
  leaves_section(section->_cs_mutex2);
  leaves_section(section->_cs_base._cs_mutex);
  PyCriticalSection2_End(section);
}

#endif

// --- The dynamic loader --------------------------------------------------------------------------

struct Walk {
  int (*visit)(dl_phdr_info*, std::size_t, void*);
  void* data;
  const void* at;
  bool is_held;
};

int visit_one(dl_phdr_info* object, std::size_t size, void* data) {
  auto* walk = static_cast<Walk*>(data);
  if (!walk->is_held) holds(&list, Kind::loader, walk->at);
  walk->is_held = true;
  return walk->visit(object, size, walk->data);
}

int walk_objects(int (*visit)(dl_phdr_info*, std::size_t, void*), void* data) {
  Walk walk{visit, data, __builtin_return_address(0), false};
  asks(&list, Kind::loader, walk.at);
  const int result = dl_iterate_phdr(visit_one, &walk);
  if (walk.is_held) gives_back(&list, Kind::loader);
  return result;
}

int close_object(void* handle) {
  const Loading unloading(__builtin_return_address(0));
  return dlclose(handle);
}

// Whoever calls dl_iterate_phdr() by its address calls ours.
void* look_up(void* handle, const char* name) {
  void* found = dlsym(handle, name);
  const bool is_walk = Session::active() != nullptr && name != nullptr &&
                       std::strcmp(name, "dl_iterate_phdr") == 0 &&
                       found == reinterpret_cast<void*>(dl_iterate_phdr);
  return is_walk ? reinterpret_cast<void*>(walk_objects) : found;
}

template <typename Replacement, typename Real>
Hook hook(std::string_view symbol, Replacement* replacement, Real* real) {
  return {symbol, reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(real)};
}

}  // namespace

// It holds the first lock throughout, and asks for the second one for what it adds or takes away.
Loading::Loading(const void* at) {
  asks(&loading, Kind::loader, at);
  holds(&loading, Kind::loader, at);
  asks(&list, Kind::loader, at);
}
Loading::~Loading() { gives_back(&loading, Kind::loader); }

std::vector<Hook> initialisation_hooks() {
  return {
      hook("__cxa_guard_acquire", guard_acquire, gilscope_order_guard_acquire),
      hook("__cxa_guard_release", guard_release, gilscope_order_guard_release),
      hook("__cxa_guard_abort", guard_abort, gilscope_order_guard_abort),
      hook("pthread_once", call_once, pthread_once),
  };
}

std::vector<Hook> section_hooks() {
#ifdef Py_GIL_DISABLED
  return {
      hook("PyCriticalSection_Begin", begin_section, PyCriticalSection_Begin),
      hook("PyCriticalSection_End", end_section, PyCriticalSection_End),
      hook("PyCriticalSection2_Begin", begin_section_of_two, PyCriticalSection2_Begin),
      hook("PyCriticalSection2_End", end_section_of_two, PyCriticalSection2_End),
  };
#else
  return {};
#endif
}

std::vector<Hook> loader_hooks() {
  return {
      hook("dl_iterate_phdr", walk_objects, dl_iterate_phdr),
      hook("dlclose", close_object, dlclose),
  };
}

Hook lookup_hook() { return hook("dlsym", look_up, dlsym); }

}  // namespace gilscope::order::native
