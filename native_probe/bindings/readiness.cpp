#include "bindings/readiness.hpp"

#include <pybind11/pybind11.h>

#include <system_error>

#include "bindings/detached.hpp"
#include "bindings/probe.hpp"
#include "bindings/self_test.hpp"
#include "core/thread_log.hpp"
#include "cpython/callable.hpp"
#include "cpython/cost.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/names.h"
#include "cpython/self_test.hpp"
#include "hooks/installation.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope::readiness {
namespace {

// Changed only by the thread that starts the probe, one at a time.
const ElfImage* found = nullptr;

std::uintptr_t type_of_new_lock(const char* factory) {
  PyObject* module = PyImport_ImportModule("_thread");
  PyObject* lock = module != nullptr ? PyObject_CallMethod(module, factory, nullptr) : nullptr;
  const std::uintptr_t type =
      lock != nullptr ? gilscope_type_of(reinterpret_cast<std::uintptr_t>(lock)) : 0;
  PyErr_Clear();
  Py_XDECREF(lock);
  Py_XDECREF(module);
  return type;
}

// The code of importlib's _ModuleLock.acquire(); kept, so that no other code takes its place.
std::uintptr_t code_of_module_lock() {
  PyObject* module = PyImport_ImportModule("_frozen_importlib");
  PyObject* found = module;
  for (const char* name : {"_ModuleLock", "acquire", "__code__"}) {
    PyObject* next = found != nullptr ? PyObject_GetAttrString(found, name) : nullptr;
    Py_XDECREF(found);
    found = next;
  }
  PyErr_Clear();
  return reinterpret_cast<std::uintptr_t>(found);
}

const ElfImage* find_interpreter(const std::uintptr_t* lock_types, std::uintptr_t module_lock) {
  const ElfImage* image = nullptr;
  // All of this asks the loader, whose lock may belong to a thread that waits for the GIL.
  without_gil([&] {
    image = new ElfImage(ElfImage::containing(reinterpret_cast<const void*>(&PyEval_SaveThread)));
    if (image->slots().empty()) {
      throw ProbeFailure("the interpreter has no relocation slots (statically linked?)");
    }
    self_test::know_code(*image);
    hooks::initialize(*image, lock_types[0], lock_types[1], module_lock);
    hooks::installation::initialize(*image);
  });
  return image;
}

SelfTestReport test_with_hooks() {
  hooks::find_gils();
  hooks::installation::install_interpreter();
  try {
    return run_self_test(interpreter());
  } catch (const std::system_error& error) {
    throw ProbeFailure("the self-test could not run: " + error.code().message());
  }
}

}  // namespace

const ElfImage& interpreter() {
  if (found != nullptr) return *found;
  if (const char* mismatch = gilscope_layout_mismatch()) throw ProbeFailure(mismatch);
  if (!ThreadLogs::initialize()) {
    throw ProbeFailure("no address space for the threads' logs, see ulimit -v");
  }
  const std::uintptr_t lock_types[2] = {type_of_new_lock("allocate_lock"),
                                        type_of_new_lock("RLock")};
  const ElfImage* image = find_interpreter(lock_types, code_of_module_lock());
  callable::initialize();
  gilscope_name_locks(lock_types[0], lock_types[1]);
  found = image;
  return *found;
}

const SelfTestReport& report() {
  interpreter();
  const SelfTestReport* known = self_test::adopted();
  if (known == nullptr) throw ProbeFailure("the self-test has not run in this interpreter");
  return *known;
}

std::string test() {
  SelfTestReport made;
  const std::string key = self_test::key(interpreter());
  try {
    made = test_with_hooks();
  } catch (...) {
    hooks::installation::remove();
    throw;
  }
  hooks::installation::remove();
  // Last: the C library takes locks at less cost in a process that never had a second thread.
  const std::uint64_t bare = cost::pair();
  made.pair_cost = made.pair_cost > bare ? made.pair_cost - bare : 0;
  return write_report(made, key);
}

}  // namespace gilscope::readiness
