// The Python module gilscope._races: begin, end and results of a watch for races. Written against
// the C API alone: its callbacks run before every instruction that is watched.
#include <Python.h>
#include <pthread.h>

#include <cstdint>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "bindings/races_results.hpp"
#include "cpython/layout.h"
#include "cpython/races_code.hpp"
#include "cpython/races_effects.hpp"
#include "cpython/races_events.hpp"
#include "cpython/races_lifetimes.hpp"
#include "cpython/races_methods.hpp"
#include "cpython/races_rests.hpp"
#include "cpython/races_runs.hpp"
#include "cpython/races_session.hpp"
#include "cpython/races_variables.hpp"
#include "hooks/races_native.hpp"

namespace gilscope::races {
namespace {

Session* latest = nullptr;  // the one that ended last, until its results are dropped

PyObject* refuse(const char* text) {
  PyErr_SetString(PyExc_RuntimeError, text);
  return nullptr;
}

bool strings_of(PyObject* sequence, std::vector<std::string>* texts) {
  PyObject* fast = PySequence_Fast(sequence, "a sequence of str is needed");
  if (fast == nullptr) return false;
  bool good = true;
  for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(fast); ++i) {
    const char* text = PyUnicode_AsUTF8(PySequence_Fast_GET_ITEM(fast, i));
    good = text != nullptr;
    if (good) texts->emplace_back(text);
  }
  Py_DECREF(fast);
  return good;
}

int initialize_once(PyObject* disable) {
  static bool done = false;
  if (done) return 0;
  if (const char* mismatch = gilscope_layout_mismatch()) {
    refuse(mismatch);
    return -1;
  }
  if (initialize_opcodes() < 0 || initialize_containers() < 0 || initialize_effects() < 0 ||
      initialize_variables() < 0 || initialize_runs() < 0 || events::initialize(disable) < 0) {
    return -1;
  }
  pthread_atfork(nullptr, nullptr, [] {
    Session::abandon();
    native::after_fork_in_child();
  });
  done = true;
  return 0;
}

Role role_of(const std::string& word) {
  if (word == "hold") return Role::hold;
  if (word == "pass") return Role::pass;
  if (word == "first") return Role::first;
  if (word == "hold-at-lock") return Role::hold_at_lock;
  return word == "wait-at-lock" ? Role::wait_at_lock : Role::pass_too;
}

// A tuple of plans, each of (role, file, function, first line, offset, kind of key).
bool add_plans(PyObject* plans, Session& session) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plans); ++i) {
    PyObject* places = PyTuple_GET_ITEM(plans, i);
    if (!PyTuple_Check(places)) continue;
    std::vector<std::pair<PlaceName, Role>> found;
    bool has_two_passes = false;
    int kind = 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(places); ++k) {
      const char* role = nullptr;
      const char* file = nullptr;
      const char* function = nullptr;
      int line = 0;
      long offset = 0;
      if (PyArg_ParseTuple(PyTuple_GET_ITEM(places, k), "sssili", &role, &file, &function, &line,
                           &offset, &kind) == 0) {
        return false;
      }
      found.push_back({{file, function, line, offset / 2}, role_of(role)});
      has_two_passes = has_two_passes || found.back().second == Role::pass_too;
    }
    const std::size_t number =
        session.meetings().add(has_two_passes, static_cast<std::uint32_t>(kind));
    for (auto& [place, role] : found) session.plan(std::move(place), number, role);
  }
  return true;
}

// begin(disable, watch, describe, outside, inside, max_variables, publications, suspected, plans)
PyObject* begin(PyObject*, PyObject* arguments) {
  PyObject* disable = nullptr;
  PyObject* watch = nullptr;
  PyObject* describe = nullptr;
  PyObject* outside = nullptr;
  PyObject* inside = nullptr;
  unsigned long long most = 0;
  int publications = 0;
  int suspected = 0;
  PyObject* plans = nullptr;
  if (PyArg_ParseTuple(arguments, "OOOOOKppO!", &disable, &watch, &describe, &outside, &inside,
                       &most, &publications, &suspected, &PyTuple_Type, &plans) == 0) {
    return nullptr;
  }
  if (Session::active() != nullptr) return refuse("races are being watched for already");
  if (lifetimes::is_taken()) {
    return refuse(
        "another tool traces references (PyRefTracer_SetTracer): without that, objects "
        "that use the same memory one after another cannot be told apart");
  }
  std::vector<std::string> out;
  std::vector<std::string> in;
  if (!strings_of(outside, &out) || !strings_of(inside, &in)) return nullptr;
  if (initialize_once(disable) < 0) return nullptr;
  Options options;
  options.max_variables = static_cast<std::size_t>(most);
  options.publications = publications != 0;
  options.suspected = suspected != 0;
  options.locks_shadow = gilscope_is_free_threaded() != 0;
  auto* session = new (std::nothrow) Session(options, describe, std::move(out), std::move(in));
  if (session == nullptr) return PyErr_NoMemory();
  if (!add_plans(plans, *session)) return nullptr;  // of a session that never began
  bool installed = false;
  Py_BEGIN_ALLOW_THREADS;
  installed = native::install(*session);
  if (!installed) native::remove();
  Py_END_ALLOW_THREADS;
  if (!installed) {
    return refuse("the interpreter's call of pthread_create cannot be hooked");
  }
  events::set_watcher(watch);
  Session::set_has_threads(false);
  Session::activate(session);
  latest = session;
  lifetimes::begin();
  Py_RETURN_NONE;
}

// Ends it; what was found stays until drop().
PyObject* end(PyObject*, PyObject*) {
  if (Session::active() == nullptr) return refuse("races are not being watched for");
  Session::activate(nullptr);
  lifetimes::end();
  methods::restore_all();
  events::set_watcher(nullptr);
  std::size_t left = 0;
  Py_BEGIN_ALLOW_THREADS;
  left = native::remove();
  Py_END_ALLOW_THREADS;
  return PyLong_FromSize_t(left);
}

PyObject* running(PyObject*, PyObject*) { return PyBool_FromLong(Session::active() != nullptr); }

PyObject* drop(PyObject*, PyObject*) {
  if (latest != nullptr && Session::active() == nullptr) {
    latest->release_codes();
    latest = nullptr;  // leaked on purpose: a thread that was inside may still look at it
  }
  Py_RETURN_NONE;
}

// replace(type, name, role)
PyObject* replace(PyObject*, PyObject* arguments) {
  PyTypeObject* type = nullptr;
  const char* name = nullptr;
  const char* role = nullptr;
  if (PyArg_ParseTuple(arguments, "O!ss", &PyType_Type, &type, &name, &role) == 0) return nullptr;
  const std::string word(role);
  const methods::Role meant = word == "acquire"         ? methods::Role::acquire
                              : word == "acquire_again" ? methods::Role::acquire_again
                              : word == "release"       ? methods::Role::release
                              : word == "release_all"   ? methods::Role::release_all
                              : word == "give"          ? methods::Role::give
                              : word == "give_item"     ? methods::Role::give_item
                              : word == "take_item"     ? methods::Role::take_item
                              : word == "own"           ? methods::Role::own
                                                        : methods::Role::take;
  if (methods::replace(type, name, meant) < 0) return nullptr;
  Py_RETURN_NONE;
}

template <typename Body>
PyObject* with_object(PyObject* object, Body body) {
  Session* session = Session::active();
  if (session == nullptr) Py_RETURN_NONE;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (inside) {
    body(session->detector().synchronization(), *thread,
         session->detector().objects().find(object).id);
  }
  Py_RETURN_NONE;
}

PyObject* give(PyObject*, PyObject* object) {
  return with_object(object, [](Synchronization& all, Thread& thread, Synchronization::Id id) {
    all.give(thread, id);
  });
}
PyObject* take(PyObject*, PyObject* object) {
  return with_object(object, [](Synchronization& all, Thread& thread, Synchronization::Id id) {
    all.take(thread, id);
  });
}
// The thread has taken work from this container.
PyObject* took(PyObject*, PyObject* container) {
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) Py_RETURN_NONE;
  Thread* thread = session->thread();
  if (thread != nullptr && !thread->is_inside) rests::took(*session, *thread, container);
  Py_RETURN_NONE;
}
// After the end of a thread is known: whether that leaves one thread alone.
PyObject* joined(PyObject*, PyObject* object) {
  take(nullptr, object);
  Session* session = Session::active();
  if (session != nullptr && Session::has_threads()) {
    Thread* thread = session->thread();
    // With a lock held it goes on: the release has to be seen.
    if (thread != nullptr && thread->held.empty() &&
        session->detector().threads().is_alone(*thread)) {
      Session::set_has_threads(false);
    }
  }
  Py_RETURN_NONE;
}
PyObject* ignore(PyObject*, PyObject* object) {
  return with_object(object,
                     [](Synchronization& all, Thread&, Synchronization::Id id) { all.ignore(id); });
}
PyObject* weaken(PyObject*, PyObject* object) {
  return with_object(object,
                     [](Synchronization& all, Thread&, Synchronization::Id id) { all.weaken(id); });
}

PyObject* declare(PyObject*, PyObject* object) {
  if (Session* session = Session::active()) {
    session->declare(session->detector().objects().find(object).id);
  }
  Py_RETURN_NONE;
}

PyObject* name_thread(PyObject*, PyObject* name) {
  Session* session = Session::active();
  Thread* thread = session != nullptr ? session->thread() : nullptr;
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  if (thread != nullptr) session->detector().threads().name(*thread, text);
  Py_RETURN_NONE;
}

// Watches a code object that may be running already; whether it is the program's.
PyObject* add_code(PyObject*, PyObject* code) {
  PyObject* arguments[2] = {code, nullptr};
  Session* session = Session::active();
  if (session == nullptr || !PyCode_Check(code)) Py_RETURN_NONE;
  PyObject* done = events::on_start(nullptr, arguments, 1);
  Py_XDECREF(done);
  Py_RETURN_NONE;
}

PyObject* note_names(PyObject*, PyObject* code) {
  if (PyCode_Check(code) && note_stored_names(reinterpret_cast<PyCodeObject*>(code)) < 0) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

// --- Results

PyObject* found(PyObject*, PyObject*) {
  return latest != nullptr ? results::found(*latest) : PyList_New(0);
}
PyObject* locks(PyObject*, PyObject*) {
  return latest != nullptr ? results::locks(*latest) : PyDict_New();
}
PyObject* codes(PyObject*, PyObject*) {
  return latest != nullptr ? results::codes(*latest) : PyList_New(0);
}
PyObject* counts(PyObject*, PyObject*) {
  return latest != nullptr ? results::counts(*latest) : PyDict_New();
}
PyObject* meetings(PyObject*, PyObject*) {
  return latest != nullptr ? results::meetings(*latest) : PyList_New(0);
}

PyCFunction fast(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {
    {"begin", begin, METH_VARARGS, "Begin to watch."},
    {"end", end, METH_NOARGS, "End it."},
    {"running", running, METH_NOARGS, "Whether races are being watched for."},
    {"drop", drop, METH_NOARGS, "Forget what was found."},
    {"replace", replace, METH_VARARGS, "Let a method order threads."},
    {"give", give, METH_O, "What this thread did is known to whoever takes this object."},
    {"take", take, METH_O, "Know what those did who gave this object."},
    {"took", took, METH_O, "Work was taken from this container: others may come to take theirs."},
    {"joined", joined, METH_O, "The thread that gave this object has ended."},
    {"ignore", ignore, METH_O, "This lock orders nothing."},
    {"weaken", weaken, METH_O, "This lock protects, and orders nothing."},
    {"name_thread", name_thread, METH_O, "Name the calling thread."},
    {"add_code", add_code, METH_O, "Watch a code object that may be running."},
    {"note_names", note_names, METH_O, "Know the globals that a code object stores."},
    {"declare", declare, METH_O, "Methods of this object order threads."},
    {"found", found, METH_NOARGS, "All that is out of order."},
    {"locks", locks, METH_NOARGS, "Where each lock was first acquired."},
    {"codes", codes, METH_NOARGS, "The code objects that are watched."},
    {"counts", counts, METH_NOARGS, "What was counted."},
    {"meetings", meetings, METH_NOARGS, "What came of each plan."},
    {"on_start", fast(events::on_start), METH_FASTCALL, "Callback of PY_START."},
    {"make_callback", [](PyObject*, PyObject*) { return events::make_callback(); }, METH_NOARGS,
     "Make the callback of INSTRUCTION."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_races",
                          "The native half of gilscope races.",
                          0,
                          functions,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace gilscope::races

// NOLINTNEXTLINE(readability-identifier-naming): the interpreter looks for this name
extern "C" __attribute__((visibility("default"))) PyObject* PyInit__races(void) {
  return PyModuleDef_Init(&gilscope::races::definition);
}
