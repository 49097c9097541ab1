// The Python module gilscope._order: begin, end and results of a watch for the order of locks.
#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>

#include <cstring>
#include <new>
#include <string>

#include "bindings/order_results.hpp"
#include "core/native_stack.hpp"
#include "cpython/layout.h"
#include "cpython/order_forks.hpp"
#include "cpython/order_methods.hpp"
#include "cpython/order_session.hpp"
#include "hooks/order_native.hpp"

namespace gilscope::order {
namespace {

Session* latest = nullptr;  // the one that ended last, until its results are dropped

PyObject* refuse(const char* text) {
  PyErr_SetString(PyExc_RuntimeError, text);
  return nullptr;
}

int initialize_once() {
  static bool done = false;
  if (done) return 0;
  if (const char* mismatch = gilscope_layout_mismatch()) {
    refuse(mismatch);
    return -1;
  }
  const ElfImage interpreter =
      ElfImage::containing(reinterpret_cast<const void*>(&PyEval_SaveThread));
  std::vector<CodeRange> python_code;
  for (const char* name :
       {"_PyEval_EvalFrameDefault", "_Py_HandlePending", "_PyFunction_Vectorcall", "_PyEval_Vector",
        "PyEval_EvalCode", "PyEval_EvalCodeEx"}) {
    const CodeRange range = interpreter.function(name);
    if (range.known()) python_code.push_back(range);
  }
  native_stack::initialize(interpreter, std::move(python_code));
  pthread_atfork(forks::before_fork, nullptr, [] {
    Session::abandon();
    forks::after_fork_in_child();
    native::after_fork_in_child();
  });
  done = true;
  return 0;
}

// begin(maker): locks that this code object makes are left out.
PyObject* begin(PyObject*, PyObject* code) {
  if (Session::active() != nullptr) return refuse("the order of locks is being watched already");
  if (!PyCode_Check(code)) return refuse("a code object is needed");
  if (initialize_once() < 0) return nullptr;
  auto* session = new (std::nothrow) Session();
  if (session == nullptr) return PyErr_NoMemory();
  session->ignore_made_by(reinterpret_cast<PyCodeObject*>(code));
  bool installed = false;
  const std::uintptr_t gil = session->has_gil() ? gilscope_own_gil() : 0;
  Py_BEGIN_ALLOW_THREADS;
  installed = native::install(gil);
  if (!installed) native::remove();
  Py_END_ALLOW_THREADS;
  if (!installed) return refuse("the interpreter's call of pthread_create cannot be hooked");
  forks::begin();
  Session::activate(session);
  latest = session;
  Py_RETURN_NONE;
}

// Ends it; what was recorded stays until drop().
PyObject* end(PyObject*, PyObject*) {
  if (Session::active() == nullptr) return refuse("the order of locks is not being watched");
  Session::activate(nullptr);
  methods::restore_all();
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
  const char* word = nullptr;
  if (PyArg_ParseTuple(arguments, "O!ss", &PyType_Type, &type, &name, &word) == 0) return nullptr;
  const std::string role(word);
  const methods::Role meant = role == "acquire"         ? methods::Role::acquire
                              : role == "enter"         ? methods::Role::enter
                              : role == "release"       ? methods::Role::release
                              : role == "release_all"   ? methods::Role::release_all
                              : role == "acquire_again" ? methods::Role::acquire_again
                              : role == "put"           ? methods::Role::put
                              : role == "renew"         ? methods::Role::renew
                                                        : methods::Role::get;
  if (methods::replace(type, name, meant) < 0) return nullptr;
  Py_RETURN_NONE;
}

// replace_life(type, kind)
PyObject* replace_life(PyObject*, PyObject* arguments) {
  PyTypeObject* type = nullptr;
  const char* word = nullptr;
  if (PyArg_ParseTuple(arguments, "O!s", &PyType_Type, &type, &word) == 0) return nullptr;
  const std::string kind(word);
  const methods::Locks locks = kind == "lock"    ? methods::Locks::plain
                               : kind == "rlock" ? methods::Locks::reentrant
                                                 : methods::Locks::of_processes;
  if (methods::replace_life(type, locks) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* replace_maker(PyObject*, PyObject* function) {
  if (methods::replace_maker(function) < 0) return nullptr;
  Py_RETURN_NONE;
}

template <typename Body>
PyObject* recorded(Body body) {
  if (Session* session = Session::active()) {
    Thread* thread = session->thread();
    const Inside inside(thread);
    if (inside) body(*session, *thread);
  }
  Py_RETURN_NONE;
}

std::uintptr_t number(PyObject* object) { return reinterpret_cast<std::uintptr_t>(object); }

PyObject* give(PyObject*, PyObject* object) {
  return recorded([object](Session& session, Thread& thread) {
    session.watch_end(object);
    session.give(thread, object, nullptr, false);
  });
}
PyObject* take(PyObject*, PyObject* object) {
  return recorded(
      [object](Session& session, Thread& thread) { session.take(thread, object, nullptr, false); });
}
PyObject* give_item(PyObject*, PyObject* arguments) {
  PyObject* object = nullptr;
  PyObject* item = nullptr;
  if (PyArg_ParseTuple(arguments, "OO", &object, &item) == 0) return nullptr;
  return recorded([object, item](Session& session, Thread& thread) {
    session.watch_end(object);
    session.give(thread, object, item, true);
  });
}
PyObject* take_item(PyObject*, PyObject* arguments) {
  PyObject* object = nullptr;
  PyObject* item = nullptr;
  if (PyArg_ParseTuple(arguments, "OO", &object, &item) == 0) return nullptr;
  return recorded([object, item](Session& session, Thread& thread) {
    session.take(thread, object, item, true);
  });
}

// wait(object, kind, like, except_, capacity): `like` names it, `except_` is given back meanwhile.
PyObject* wait(PyObject*, PyObject* arguments) {
  PyObject* object = nullptr;
  const char* kind = nullptr;
  PyObject* like = nullptr;
  PyObject* except = nullptr;
  unsigned long long capacity = 0;
  if (PyArg_ParseTuple(arguments, "OsOO|K", &object, &kind, &like, &except, &capacity) == 0) {
    return nullptr;
  }
  return recorded([=](Session& session, Thread& thread) {
    session.watch_end(object);
    Recorder& recorder = session.recorder();
    const Lock* name = like != Py_None ? recorder.find(thread, number(like), Kind::lock) : nullptr;
    const Lock* given =
        except != Py_None ? recorder.find(thread, number(except), Kind::lock) : nullptr;
    const Kind known = results::kind_of(kind);
    Lock* resource = session.resource(thread, object, known, name);
    // Within the wait for an event, a queue and so on, which is known already.
    if (known == Kind::condition && resource->info.kind != known) return;
    if (capacity > resource->info.capacity) resource->info.capacity = capacity;
    recorder.wait(thread, resource, given, false);
  });
}

// provide(object, kind, like)
PyObject* provide(PyObject*, PyObject* arguments) {
  PyObject* object = nullptr;
  const char* kind = nullptr;
  PyObject* like = nullptr;
  if (PyArg_ParseTuple(arguments, "OsO", &object, &kind, &like) == 0) return nullptr;
  return recorded([=](Session& session, Thread& thread) {
    session.watch_end(object);
    const Lock* name =
        like != Py_None ? session.recorder().find(thread, number(like), Kind::lock) : nullptr;
    Recorder::provide(thread, session.resource(thread, object, results::kind_of(kind), name));
  });
}

// hold(semaphore): one that begins with 1 and is taken and given back by one thread is a lock.
PyObject* hold(PyObject*, PyObject* object) {
  return recorded([object](Session& session, Thread& thread) {
    session.watch_end(object);
    Lock* lock = session.resource(thread, object, Kind::semaphore, nullptr);
    session.recorder().acquired(thread, lock, false, session.calling_place(thread));
  });
}
PyObject* give_back(PyObject*, PyObject* object) {
  return recorded([object](Session& session, Thread& thread) {
    Lock* lock = session.resource(thread, object, Kind::semaphore, nullptr);
    session.recorder().released(thread, lock, false);
  });
}

// An event that is cleared can be waited for again.
PyObject* renew(PyObject*, PyObject* object) {
  return recorded([object](Session& session, Thread& thread) {
    session.resource(thread, object, Kind::event, nullptr)->info.renewed = true;
  });
}

// begin_task(task) → what end_task() takes; None where nothing is recorded
PyObject* begin_task(PyObject*, PyObject* task) {
  Session* session = Session::active();
  if (session == nullptr) Py_RETURN_NONE;
  return PyLong_FromVoidPtr(session->begin_task(task));
}
PyObject* end_task(PyObject*, PyObject* pool_thread) {
  if (Session::active() != nullptr && PyLong_CheckExact(pool_thread)) {
    Session::end_task(static_cast<Thread*>(PyLong_AsVoidPtr(pool_thread)));
  }
  Py_RETURN_NONE;
}

// import_lock(name, what)
PyObject* import_lock(PyObject*, PyObject* arguments) {
  const char* name = nullptr;
  const char* word = nullptr;
  if (PyArg_ParseTuple(arguments, "ss", &name, &word) == 0) return nullptr;
  const std::string what(word);
  return recorded([name, &what](Session& session, Thread& thread) {
    Recorder& recorder = session.recorder();
    Lock* lock = session.import_lock(thread, name);
    const PlaceId at = session.place(thread);
    if (what == "ask") {
      recorder.ask(thread, lock, Mode::blocking, false, at, false);
    } else if (what == "acquired") {
      recorder.acquired(thread, lock, false, at);
    } else {
      recorder.released(thread, lock, false);
    }
  });
}

// Stands in for __import__: a module that is loaded already could as well be under way in another
// thread, as far as the order of this run shows.
PyObject* import_instead(PyObject* original, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* names) {
  Session* session = Session::active();
  const bool is_absolute =
      count < 5 || (PyLong_CheckExact(arguments[4]) && PyLong_AsLong(arguments[4]) == 0);
  if (session != nullptr && count > 0 && is_absolute && PyUnicode_Check(arguments[0])) {
    Thread* thread = session->thread();
    const Inside inside(thread);
    const char* name = inside && !thread->held.empty() ? PyUnicode_AsUTF8(arguments[0]) : nullptr;
    if (name != nullptr) {
      Lock* lock = session->import_lock(*thread, name);
      session->recorder().ask(*thread, lock, Mode::blocking, false, session->place(*thread), false);
    }
    if (PyErr_Occurred() != nullptr) PyErr_Clear();
  }
  return PyObject_Vectorcall(original, arguments, static_cast<std::size_t>(count), names);
}

PyMethodDef import_definition = {
    "__import__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(import_instead)),
    METH_FASTCALL | METH_KEYWORDS, "As the interpreter's own."};

PyObject* see_imports(PyObject*, PyObject* original) {
  return PyCFunction_New(&import_definition, original);
}

PyObject* ignore(PyObject*, PyObject* object) {
  return recorded([object](Session& session, Thread&) {
    session.recorder().create(number(object), Kind::ignored, 0);
  });
}

PyObject* name_thread(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  return recorded([text](Session&, Thread& thread) {
    thread.part.name = text;
    thread.is_native = false;
  });
}

// Native threads that call Python and have not ended.
PyObject* native_callers(PyObject*, PyObject*) {
  Session* session = Session::active();
  return PyLong_FromSize_t(session != nullptr ? session->recorder().native_callers() : 0);
}
PyObject* set_is_ending(PyObject*, PyObject*) {
  if (Session* session = Session::active()) session->recorder().set_is_ending();
  Py_RETURN_NONE;
}
PyObject* late_requests(PyObject*, PyObject*) {
  Session* session = Session::active();
  return PyLong_FromUnsignedLongLong(session != nullptr ? session->recorder().late_requests() : 0);
}

PyObject* result(PyObject*, PyObject*) {
  return latest != nullptr && Session::active() == nullptr ? results::all(*latest)
                                                           : refuse("there is no result");
}

// symbol(address) → (path, offset in the file, function or "")
PyObject* symbol(PyObject*, PyObject* address) {
  Dl_info info{};
  const void* place = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (dladdr(place, &info) == 0 || info.dli_fname == nullptr) Py_RETURN_NONE;
  const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  const char* name = info.dli_sname != nullptr ? info.dli_sname : "";
  return Py_BuildValue(
      "sKs", info.dli_fname,
      static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(place) - base), name);
}

PyMethodDef functions[] = {
    {"begin", begin, METH_O, "Begin to watch."},
    {"end", end, METH_NOARGS, "End it."},
    {"running", running, METH_NOARGS, "Whether the order of locks is being watched."},
    {"drop", drop, METH_NOARGS, "Forget what was recorded."},
    {"replace", replace, METH_VARARGS, "See calls of a method."},
    {"replace_life", replace_life, METH_VARARGS, "See the making and the end of locks."},
    {"replace_maker", replace_maker, METH_O, "See a function make locks."},
    {"give", give, METH_O, "What this thread did is known to whoever takes this object."},
    {"take", take, METH_O, "Know what those did who gave this object."},
    {"give_item", give_item, METH_VARARGS, "The same, through one item of a queue."},
    {"take_item", take_item, METH_VARARGS, "The same, through one item of a queue."},
    {"wait", wait, METH_VARARGS, "This thread waits for what others bring about."},
    {"provide", provide, METH_VARARGS, "This thread brings it about."},
    {"hold", hold, METH_O, "This thread has it."},
    {"give_back", give_back, METH_O, "It has it no more."},
    {"renew", renew, METH_O, "It can be waited for again."},
    {"begin_task", begin_task, METH_O, "A task of a pool begins."},
    {"end_task", end_task, METH_O, "It ends."},
    {"import_lock", import_lock, METH_VARARGS, "A lock of the import system is used."},
    {"see_imports", see_imports, METH_O, "Make a stand-in for __import__."},
    {"ignore", ignore, METH_O, "This lock is in no order."},
    {"name_thread", name_thread, METH_O, "Name the calling thread."},
    {"native_callers", native_callers, METH_NOARGS, "How many native threads call Python."},
    {"set_is_ending", set_is_ending, METH_NOARGS, "All exit handlers have run."},
    {"late_requests", late_requests, METH_NOARGS,
     "How often native threads have asked for the GIL since."},
    {"result", result, METH_NOARGS, "All that was recorded."},
    {"symbol", symbol, METH_O, "The object and the function that an address lies in."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_order",
                          "The native half of gilscope lock-order.",
                          0,
                          functions,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace gilscope::order

// NOLINTNEXTLINE(readability-identifier-naming): the interpreter looks for this name
extern "C" __attribute__((visibility("default"))) PyObject* PyInit__order(void) {
  return PyModuleDef_Init(&gilscope::order::definition);
}
