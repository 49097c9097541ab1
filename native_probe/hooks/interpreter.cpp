#include "hooks/interpreter.hpp"

#include <utility>

#include "core/native_stack.hpp"
#include "cpython/layout.h"
#include "cpython/parking.hpp"
#include "hooks/callbacks.hpp"
#include "hooks/gil.hpp"
#include "hooks/hazards.hpp"
#include "hooks/loader.hpp"
#include "hooks/locks.hpp"
#include "hooks/native_locks.hpp"
#include "hooks/spins.hpp"
#include "hooks/threads.hpp"

namespace gilscope::hooks {

Classes classes;

namespace {

template <typename Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

std::vector<Hook> interpreter_hooks() {
  std::vector<Hook> hooks = {
      {"pthread_mutex_lock", address(gil::mutex_lock)},
      {"pthread_cond_signal", address(gil::cond_signal)},
      {"pthread_cond_init", address(gil::cond_init)},
      {"pthread_cond_destroy", address(gil::cond_destroy)},
      {"pthread_cond_wait", address(gil::cond_wait)},
      {"pthread_cond_timedwait", address(gil::cond_timedwait)},
      {"sem_init", address(locks::init)},
      {"sem_wait", address(locks::wait)},
      {"sem_timedwait", address(locks::timedwait)},
      {"sem_clockwait", address(locks::clockwait)},
      {"sem_post", address(locks::post)},
      {"pthread_create", address(threads::create_python)},
  };
  // The stock build does not spin.
  if (gilscope_is_free_threaded() != 0 && classes.spin) {
    hooks.push_back({"sched_yield", address(spins::hook())});
  }
  return hooks;
}

std::vector<Hook> other_hooks() {
  std::vector<Hook> hooks = callbacks::hooks();
  hooks.push_back({"pthread_create", address(threads::create_native)});
  for (const Hook& hook : hazards::hooks()) hooks.push_back(hook);
  return hooks;
}

std::vector<Hook> native_lock_hooks() { return native_locks::hooks(); }

void initialize(const ElfImage& interpreter, std::uintptr_t lock_type, std::uintptr_t rlock_type,
                std::uintptr_t module_lock) {
  gil::initialize(interpreter);
  parking::initialize(interpreter, lock_type, rlock_type, module_lock);
  callbacks::initialize();
  // Whatever is beyond a frame of these called Python code, and not what goes on below it.
  std::vector<CodeRange> python_code;
  for (const char* name :
       {"_PyEval_EvalFrameDefault", "_Py_HandlePending", "_PyFunction_Vectorcall", "_PyEval_Vector",
        "PyEval_EvalCode", "PyEval_EvalCodeEx"}) {
    const CodeRange range = interpreter.function(name);
    if (range.known()) python_code.push_back(range);
  }
  native_stack::initialize(interpreter, std::move(python_code));
}

std::vector<Hook> loader_hooks(bool is_interpreter) {
  return {{"dlopen", is_interpreter ? address(loader::open_module) : address(loader::open)}};
}

bool tells_forced_releases() { return gil::tells_forced_releases(); }

void find_gils() { gil::find_gils(); }

void after_fork_in_child() { gil::after_fork_in_child(); }

void begin_session(Session& session, bool gil_enabled) { gil::begin_session(session, gil_enabled); }

void end_session() { gil::end_session(); }

}  // namespace gilscope::hooks
