#include "hooks/races_native.hpp"

#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/got_patcher.hpp"
#include "core/loaded_objects.hpp"
#include "cpython/races_session.hpp"
#include "hooks/races_capi.hpp"

extern "C" void gilscope_races_condition_variable_wait(void* condition, void* lock) __asm__(
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");

namespace gilscope::races::native {
namespace {

using Known = std::shared_ptr<const LoadedObjects>;

struct State {
  std::mutex patching;
  GotPatcher patcher;
  Known objects;  // those that were patched, kept loaded
  bool wanted = false;
};
State& the_state = *new State;
State& state() { return the_state; }

class ErrnoKept {
 public:
  ErrnoKept() : value_(errno) {}
  ~ErrnoKept() { errno = value_; }
  ErrnoKept(const ErrnoKept&) = delete;
  ErrnoKept& operator=(const ErrnoKept&) = delete;

 private:
  int value_;
};

// --- Threads
// --------------------------------------------------------------------------------------

struct Start {
  void* (*routine)(void*);
  void* argument;
  Order from;
};

void* run(void* data) {
  auto* given = static_cast<Start*>(data);
  const Start start = *given;
  delete given;
  if (Session* session = Session::active()) session->enter(start.from);
  return start.routine(start.argument);
}

int create(pthread_t* handle, const pthread_attr_t* attributes, void* (*routine)(void*),
           void* argument) {
  Session* session = Session::active();
  if (session == nullptr) return pthread_create(handle, attributes, routine, argument);
  auto* start = new (std::nothrow) Start{routine, argument, Threads::fork(session->thread())};
  if (start == nullptr) return pthread_create(handle, attributes, routine, argument);
  Session::set_has_threads(true);
  const int result = pthread_create(handle, attributes, run, start);
  if (result != 0) delete start;
  return result;
}

int join(pthread_t handle, void** value) {
  const int result = pthread_join(handle, value);
  Session* session = Session::active();
  if (result != 0 || session == nullptr) return result;
  const ErrnoKept kept;
  Thread* thread = session->thread();
  if (thread != nullptr) session->native_thread_joined(*thread, handle);
  return result;
}

// --- Locks
// ----------------------------------------------------------------------------------------

// Not among the numbers of objects, which have 32 bits.
Synchronization::Id id_of(const void* lock) {
  return reinterpret_cast<std::uintptr_t>(lock) | Synchronization::Id{1} << 63;
}

void acquired(const void* lock) {
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  const ErrnoKept kept;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (inside) session->detector().synchronization().acquire(*thread, id_of(lock));
}

void releases(const void* lock) {
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  const ErrnoKept kept;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (inside) session->detector().synchronization().release(*thread, id_of(lock));
}

int noted(int result, const void* lock) {
  if (result == 0 || result == EOWNERDEAD) acquired(lock);
  return result;
}

int mutex_lock(pthread_mutex_t* lock) { return noted(pthread_mutex_lock(lock), lock); }
int mutex_trylock(pthread_mutex_t* lock) { return noted(pthread_mutex_trylock(lock), lock); }
int mutex_timedlock(pthread_mutex_t* lock, const timespec* until) {
  return noted(pthread_mutex_timedlock(lock, until), lock);
}
int mutex_clocklock(pthread_mutex_t* lock, clockid_t clock, const timespec* until) {
  return noted(pthread_mutex_clocklock(lock, clock, until), lock);
}
int mutex_unlock(pthread_mutex_t* lock) {
  releases(lock);
  return pthread_mutex_unlock(lock);
}

int read_lock(pthread_rwlock_t* lock) { return noted(pthread_rwlock_rdlock(lock), lock); }
int try_read_lock(pthread_rwlock_t* lock) { return noted(pthread_rwlock_tryrdlock(lock), lock); }
int write_lock(pthread_rwlock_t* lock) { return noted(pthread_rwlock_wrlock(lock), lock); }
int try_write_lock(pthread_rwlock_t* lock) { return noted(pthread_rwlock_trywrlock(lock), lock); }
int rwlock_unlock(pthread_rwlock_t* lock) {
  releases(lock);
  return pthread_rwlock_unlock(lock);
}

int condition_wait(pthread_cond_t* condition, pthread_mutex_t* lock) {
  releases(lock);
  const int result = pthread_cond_wait(condition, lock);
  acquired(lock);
  return result;
}
int condition_timedwait(pthread_cond_t* condition, pthread_mutex_t* lock, const timespec* until) {
  releases(lock);
  const int result = pthread_cond_timedwait(condition, lock, until);
  acquired(lock);
  return result;
}
int condition_clockwait(pthread_cond_t* condition, pthread_mutex_t* lock, clockid_t clock,
                        const timespec* until) {
  releases(lock);
  const int result = pthread_cond_clockwait(condition, lock, clock, until);
  acquired(lock);
  return result;
}
// A std::unique_lock begins with the address of its mutex, which is a pthread_mutex_t.
void condition_variable_wait(void* condition, void* lock) {
  const void* mutex = *static_cast<void**>(lock);
  releases(mutex);
  gilscope_races_condition_variable_wait(condition, lock);
  acquired(mutex);
}

// --- Slots
// ----------------------------------------------------------------------------------------

template <typename Replacement, typename Real>
Hook hook(std::string_view symbol, Replacement* replacement, Real* real) {
  return {symbol, reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(real)};
}

void* open_object(const char* file, int flags);

std::vector<Hook> thread_hooks() {
  return {hook("pthread_create", create, pthread_create), hook("pthread_join", join, pthread_join)};
}

std::vector<Hook> lock_hooks() {
  return {
      hook("pthread_mutex_lock", mutex_lock, pthread_mutex_lock),
      hook("pthread_mutex_trylock", mutex_trylock, pthread_mutex_trylock),
      hook("pthread_mutex_timedlock", mutex_timedlock, pthread_mutex_timedlock),
      hook("pthread_mutex_clocklock", mutex_clocklock, pthread_mutex_clocklock),
      hook("pthread_mutex_unlock", mutex_unlock, pthread_mutex_unlock),
      hook("pthread_rwlock_rdlock", read_lock, pthread_rwlock_rdlock),
      hook("pthread_rwlock_tryrdlock", try_read_lock, pthread_rwlock_tryrdlock),
      hook("pthread_rwlock_wrlock", write_lock, pthread_rwlock_wrlock),
      hook("pthread_rwlock_trywrlock", try_write_lock, pthread_rwlock_trywrlock),
      hook("pthread_rwlock_unlock", rwlock_unlock, pthread_rwlock_unlock),
      hook("pthread_cond_wait", condition_wait, pthread_cond_wait),
      hook("pthread_cond_timedwait", condition_timedwait, pthread_cond_timedwait),
      hook("pthread_cond_clockwait", condition_clockwait, pthread_cond_clockwait),
      hook("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", condition_variable_wait,
           gilscope_races_condition_variable_wait),
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

GotPatcher::Plan plan_for(const ElfImage& image, bool is_interpreter, const Session& session) {
  HookTable hooks(thread_hooks());
  const bool is_runtime = has_part(image, "/libstdc++.so") || has_part(image, "/libgcc_s.so");
  if (!is_runtime && !is_interpreter) hooks.add(lock_hooks());
  if (!is_interpreter && session.is_in_scope(image.path())) hooks.add(capi::hooks());
  if (!image.has_search_path()) hooks.add({hook("dlopen", open_object, dlopen)});
  return GotPatcher::plan(image, hooks);
}

// One look at the loaded objects; false when another thread has been faster. The loader is asked
// while no lock of ours is held.
bool look_once(const Session& session) {
  State& all = state();
  Known before;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    if (!all.wanted) return true;
    before = all.objects;
  }
  Known now = LoadedObjects::look(before.get());
  const ElfImage interpreter = interpreter_image();
  std::list<GotPatcher::Plan> plans;
  for (const auto& object : now->all()) {
    if (is_left_alone(object->image) || (before != nullptr && before->has(*object))) continue;
    GotPatcher::Plan plan = plan_for(object->image, object->image.is_same(interpreter), session);
    if (!plan.empty()) plans.push_back(std::move(plan));
  }
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(all.patching);
  if (!all.wanted) return true;
  if (all.objects != before) return false;
  all.objects.swap(now);
  all.patcher.patch(plans, pages);
  return true;
}

void look(const Session& session) {
  while (!look_once(session)) {
  }
}

// Whether the handle is of an object that was there at the last look.
bool is_known(void* handle) {
  State& all = state();
  Known known;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    known = all.objects;
  }
  return known != nullptr && known->has_handle(handle);
}

void* open_object(const char* file, int flags) {
  void* handle = dlopen(file, flags);
  const Session* session = Session::active();
  if (handle == nullptr || session == nullptr) return handle;
  const ErrnoKept kept;
  // Where nothing was loaded, the loader's lock, which dlopen() did not take for that, may be held
  // by a thread that waits for the GIL.
  if (!is_known(handle)) look(*session);
  dlerror();  // what went wrong in there, if anything, is not the program's
  return handle;
}

}  // namespace

bool install(const Session& session) {
  State& all = state();
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    all.wanted = true;
  }
  look(session);
  const PageProtections pages;
  const std::lock_guard<std::mutex> lock(all.patching);
  all.patcher.verify(pages);
  for (const gilscope::Slot& slot : interpreter_image().slots()) {
    if (slot.symbol == "pthread_create" && *slot.address == reinterpret_cast<void*>(&create)) {
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
  Known objects;
  std::size_t left = 0;
  {
    const std::lock_guard<std::mutex> lock(all.patching);
    left = all.patcher.restore(pages);
    plans = all.patcher.forget();
    objects.swap(all.objects);
  }
  return left;
}

void after_fork_in_child() {
  State& all = state();
  new (&all.patching) std::mutex;
  if (!all.patcher.is_empty()) all.patcher.restore(PageProtections());
  all.wanted = false;
}

}  // namespace gilscope::races::native
