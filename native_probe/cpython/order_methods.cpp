#include "cpython/order_methods.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "cpython/order_forks.hpp"
#include "cpython/order_session.hpp"

namespace gilscope::order::methods {
namespace {

constexpr std::size_t kMost = 32;

// Entries stay when a method is restored: a thread may be in its stand-in.
struct Replaced {
  PyMethodDef* definition = nullptr;
  PyCFunction original = nullptr;
  Role role = Role::acquire;
  Kind kind = Kind::lock;
  bool is_of_processes = false;
  bool is_in_place = false;
};
std::array<Replaced, kMost> replaced;
std::size_t count = 0;

struct Life {
  PyTypeObject* type = nullptr;
  newfunc make = nullptr;
  destructor end = nullptr;
  Locks locks = Locks::plain;
  bool is_in_place = false;
};
std::array<Life, 3> lives;

struct Maker {
  PyMethodDef* definition = nullptr;
  PyCFunction original = nullptr;
};
Maker maker;

// --- Arguments of acquire(blocking=True, timeout=-1) and get(block=True, timeout=None) -----------

constexpr double kForEver = 86400.0;  // s: nobody waits that long for a lock to give up

Mode mode_of(PyObject* blocking, PyObject* timeout) {
  if (blocking == Py_False ||
      (blocking != nullptr && PyLong_CheckExact(blocking) && PyLong_AsLong(blocking) == 0)) {
    return Mode::attempt;
  }
  if (timeout == nullptr || timeout == Py_None) return Mode::blocking;
  double seconds = kForEver;
  if (PyFloat_CheckExact(timeout)) seconds = PyFloat_AS_DOUBLE(timeout);
  if (PyLong_CheckExact(timeout)) seconds = PyLong_AsDouble(timeout);
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  return seconds < 0 || seconds >= kForEver ? Mode::blocking : Mode::timed;
}

struct Arguments {
  PyObject* first = nullptr;
  PyObject* second = nullptr;

  void name(PyObject* key, PyObject* value) {
    if (PyUnicode_CompareWithASCIIString(key, "timeout") == 0) {
      second = value;
    } else {
      first = value;
    }
  }
};

Arguments arguments(PyObject* none) {
  (void)none;
  return {};
}
Arguments arguments(PyObject* positional, PyObject* named) {
  Arguments found;
  if (PyTuple_GET_SIZE(positional) > 0) found.first = PyTuple_GET_ITEM(positional, 0);
  if (PyTuple_GET_SIZE(positional) > 1) found.second = PyTuple_GET_ITEM(positional, 1);
  Py_ssize_t place = 0;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  while (named != nullptr && PyDict_Next(named, &place, &key, &value) != 0) found.name(key, value);
  return found;
}
Arguments arguments(PyObject* const* values, Py_ssize_t size, PyObject* names) {
  Arguments found;
  if (size > 0) found.first = values[0];
  if (size > 1) found.second = values[1];
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) found.name(PyTuple_GET_ITEM(names, i), values[size + i]);
  return found;
}
Arguments arguments(PyObject* const* values, Py_ssize_t size) {
  return arguments(values, size, nullptr);
}
Arguments arguments(PyTypeObject* defining, PyObject* const* values, std::size_t size,
                    PyObject* names) {
  (void)defining;
  return arguments(values, PyVectorcall_NARGS(size), names);
}

// --- What is done around the original ------------------------------------------------------------

void on_lock(Session& session, Thread& thread, const Replaced& what, PyObject* self,
             const Arguments& given) {
  const auto address = reinterpret_cast<std::uintptr_t>(self);
  Recorder& recorder = session.recorder();
  Lock* lock = recorder.find(thread, address, what.kind);
  switch (what.role) {
    case Role::acquire: {
      const Mode mode = mode_of(given.first, given.second);
      return recorder.ask(thread, lock, mode, false, session.place(thread), false);
    }
    case Role::enter:
      return recorder.ask(thread, lock, Mode::blocking, false, session.place(thread), false);
    case Role::release: return recorder.released(thread, lock, false);
    case Role::release_all: return recorder.released(thread, lock, true);
    default: return;
  }
}

// In a forked child, which is not watched, but for the locks that it asks for.
void in_child(const Replaced& what, PyObject* self, const Arguments& given) {
  if (what.is_of_processes) return;  // its parent gives it back
  if (what.role == Role::renew) forks::made(self);
  const bool is_asked =
      what.role == Role::enter ||
      (what.role == Role::acquire && mode_of(given.first, given.second) == Mode::blocking);
  if (is_asked) forks::asked(self);
}

void before(const Replaced& what, PyObject* self, const Arguments& given) {
  Session* session = Session::active();
  if (session == nullptr && forks::is_child()) return in_child(what, self, given);
  if (session == nullptr || what.role == Role::renew) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  if (what.role == Role::put) {
    session->give(*thread, self, given.first, true);
    const Lock* resource = session->resource(*thread, self, Kind::queue_get, nullptr);
    return Recorder::provide(*thread, const_cast<Lock*>(resource));
  }
  if (what.role == Role::get) {
    if (thread->held.empty() || mode_of(given.first, given.second) != Mode::blocking) return;
    Lock* resource = session->resource(*thread, self, Kind::queue_get, nullptr);
    return session->recorder().wait(*thread, resource, nullptr, session->place(*thread));
  }
  on_lock(*session, *thread, what, self, given);
}

void after(const Replaced& what, PyObject* self, PyObject* result) {
  if (result == nullptr || result == Py_False) return;
  if (what.role == Role::release || what.role == Role::release_all || what.role == Role::put ||
      what.role == Role::renew) {
    return;
  }
  Session* session = Session::active();
  if (session == nullptr) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  if (what.role == Role::get) return session->take(*thread, self, result, true);
  Recorder& recorder = session->recorder();
  Lock* lock = recorder.find(*thread, reinterpret_cast<std::uintptr_t>(self), what.kind);
  if (what.role == Role::acquire_again) {
    return recorder.acquired_again(*thread, lock, session->place(*thread));
  }
  recorder.acquired(*thread, lock, false, session->place(*thread));
}

template <std::size_t I, typename... Rest>
PyObject* stand_in(PyObject* self, Rest... rest) {
  const Replaced& what = replaced[I];
  before(what, self, arguments(rest...));
  using Function = PyObject* (*)(PyObject*, Rest...);
  PyObject* result =
      reinterpret_cast<Function>(reinterpret_cast<void (*)()>(what.original))(self, rest...);
  after(what, self, result);
  return result;
}

template <typename... Rest, std::size_t... I>
constexpr auto make_table(std::index_sequence<I...>) {
  return std::array<PyObject* (*)(PyObject*, Rest...), sizeof...(I)>{stand_in<I, Rest...>...};
}
template <typename... Rest>
PyCFunction stand_in_of(std::size_t number) {
  static constexpr auto kTable = make_table<Rest...>(std::make_index_sequence<kMost>());
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(kTable[number]));
}

// In the way in which the method takes its arguments.
PyCFunction choose(int flags, std::size_t number) {
  const int way = flags & (METH_VARARGS | METH_KEYWORDS | METH_FASTCALL | METH_METHOD);
  if (way == 0 || way == METH_VARARGS) return stand_in_of<PyObject*>(number);
  if (way == (METH_VARARGS | METH_KEYWORDS)) return stand_in_of<PyObject*, PyObject*>(number);
  if (way == METH_FASTCALL) return stand_in_of<PyObject* const*, Py_ssize_t>(number);
  if (way == (METH_FASTCALL | METH_KEYWORDS)) {
    return stand_in_of<PyObject* const*, Py_ssize_t, PyObject*>(number);
  }
  if (way == (METH_METHOD | METH_FASTCALL | METH_KEYWORDS)) {
    return stand_in_of<PyTypeObject*, PyObject* const*, std::size_t, PyObject*>(number);
  }
  return nullptr;
}

std::size_t entry_of(PyMethodDef* definition, Role role) {
  for (std::size_t i = 0; i < count; ++i) {
    if (replaced[i].definition == definition && replaced[i].role == role) return i;
  }
  if (count == kMost) return kMost;
  replaced[count] = {definition, definition->ml_meth, role, Kind::lock, false, false};
  return count++;
}

void note_made(PyObject* made, Kind kind) {
  Session* session = Session::active();
  if (made != nullptr && forks::is_child()) forks::made(made);
  if (made == nullptr || session == nullptr) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  const Kind known = session->kind_of_new(kind);
  const StackId site = known == Kind::ignored ? 0 : session->site();
  session->recorder().create(reinterpret_cast<std::uintptr_t>(made), known, site);
}

long number_of(PyObject* object, const char* name) {
  PyObject* found = PyObject_GetAttrString(object, name);
  const long value = found != nullptr && PyLong_CheckExact(found) ? PyLong_AsLong(found) : -1;
  Py_XDECREF(found);
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  return value;
}

// Locks that processes share are semaphores, most of which are no locks.
Kind kind_of_made(PyObject* made, Locks locks) {
  if (locks != Locks::of_processes) return locks == Locks::plain ? Kind::lock : Kind::rlock;
  if (made == nullptr) return Kind::ignored;
  if (number_of(made, "kind") == 0) return Kind::rlock;
  return number_of(made, "maxvalue") == 1 ? Kind::lock : Kind::ignored;
}

template <std::size_t I>
PyObject* make_instead(PyTypeObject* type, PyObject* positional, PyObject* named) {
  PyObject* made = lives[I].make(type, positional, named);
  note_made(made, kind_of_made(made, lives[I].locks));
  return made;
}

template <std::size_t I>
void end_instead(PyObject* self) {
  if (Session* session = Session::active()) {
    session->recorder().forget(reinterpret_cast<std::uintptr_t>(self));
  }
  lives[I].end(self);
}

PyObject* allocate_instead(PyObject* self, PyObject* argument) {
  PyObject* made = maker.original(self, argument);
  note_made(made, Kind::lock);
  return made;
}

Kind kind_of(const PyTypeObject* type) {
  return std::strstr(type->tp_name, "RLock") != nullptr ? Kind::rlock : Kind::lock;
}

}  // namespace

int replace(PyTypeObject* type, const char* name, Role role) {
  PyObject* names = PyType_GetDict(type);
  PyObject* found = names != nullptr ? PyDict_GetItemString(names, name) : nullptr;
  Py_XDECREF(names);
  if (found == nullptr || !Py_IS_TYPE(found, &PyMethodDescr_Type)) {
    PyErr_Format(PyExc_LookupError, "%s has no method %s that can be watched", type->tp_name, name);
    return -1;
  }
  PyMethodDef* definition = reinterpret_cast<PyMethodDescrObject*>(found)->d_method;
  const std::size_t number = entry_of(definition, role);
  PyCFunction instead = number < kMost ? choose(definition->ml_flags, number) : nullptr;
  if (instead == nullptr) {
    PyErr_Format(PyExc_LookupError, "%s.%s takes its arguments in an unknown way", type->tp_name,
                 name);
    return -1;
  }
  replaced[number].original = definition->ml_meth;
  replaced[number].kind = kind_of(type);
  replaced[number].is_of_processes = std::strstr(type->tp_name, "SemLock") != nullptr;
  replaced[number].is_in_place = true;
  definition->ml_meth = instead;
  return 0;
}

int replace_life(PyTypeObject* type, Locks locks) {
  Life& life = lives[static_cast<std::size_t>(locks)];
  if (type->tp_new == nullptr || type->tp_dealloc == nullptr) {
    PyErr_Format(PyExc_LookupError, "the making of %s cannot be watched", type->tp_name);
    return -1;
  }
  constexpr newfunc kMake[] = {make_instead<0>, make_instead<1>, make_instead<2>};
  constexpr destructor kEnd[] = {end_instead<0>, end_instead<1>, end_instead<2>};
  life = {type, type->tp_new, type->tp_dealloc, locks, true};
  type->tp_new = kMake[static_cast<std::size_t>(locks)];
  type->tp_dealloc = kEnd[static_cast<std::size_t>(locks)];
  return 0;
}

int replace_maker(PyObject* function) {
  constexpr int kWays = METH_VARARGS | METH_KEYWORDS | METH_FASTCALL | METH_METHOD | METH_NOARGS;
  if (!PyCFunction_Check(function) ||
      (reinterpret_cast<PyCFunctionObject*>(function)->m_ml->ml_flags & kWays) != METH_NOARGS) {
    PyErr_SetString(PyExc_LookupError, "allocate_lock takes its arguments in an unknown way");
    return -1;
  }
  PyMethodDef* definition = reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
  maker = {definition, definition->ml_meth};
  definition->ml_meth = allocate_instead;
  return 0;
}

void restore_all() {
  for (std::size_t i = count; i-- > 0;) {
    if (!replaced[i].is_in_place) continue;
    replaced[i].definition->ml_meth = replaced[i].original;
    replaced[i].is_in_place = false;
  }
  for (Life& life : lives) {
    if (!life.is_in_place) continue;
    life.type->tp_new = life.make;
    life.type->tp_dealloc = life.end;
    life.is_in_place = false;
  }
  if (maker.definition != nullptr) maker.definition->ml_meth = maker.original;
  maker.definition = nullptr;
}

}  // namespace gilscope::order::methods
