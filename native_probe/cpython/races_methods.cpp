#include "cpython/races_methods.hpp"

#include <array>
#include <atomic>
#include <utility>

#include "cpython/races_rests.hpp"
#include "cpython/races_session.hpp"
#include "cpython/races_variables.hpp"

namespace gilscope::races::methods {
namespace {

constexpr std::size_t kMost = 48;

// Entries stay when a method is restored: a thread may be in its stand-in.
struct Replaced {
  PyMethodDef* definition = nullptr;
  PyCFunction original = nullptr;
  Role role = Role::acquire;
  bool is_in_place = false;
};
std::array<Replaced, kMost> replaced;
std::size_t count = 0;

Synchronization::Id id_of(Session& session, PyObject* object) {
  return session.detector().objects().find(object).id;
}

// Tells apart what is in a container at the same time: those objects are alive.
std::uint32_t item_of(const PyObject* item) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(item) >> 4);
}

// The first argument, in each of the ways in which a method takes them; nullptr: there is none.
PyObject* first_argument(const Replaced& what, PyObject* argument) {
  return (what.definition->ml_flags & METH_O) != 0 ? argument : nullptr;
}
PyObject* first_argument(const Replaced&, PyObject*, PyObject*) { return nullptr; }
PyObject* first_argument(const Replaced&, PyObject* const* arguments, Py_ssize_t count) {
  return count > 0 ? arguments[0] : nullptr;
}
PyObject* first_argument(const Replaced&, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* names) {
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  return count + named > 0 ? arguments[0] : nullptr;  // all of them name it first or not at all
}
PyObject* first_argument(const Replaced&, PyTypeObject*, PyObject* const* arguments,
                         std::size_t count, PyObject*) {
  return PyVectorcall_NARGS(count) > 0 ? arguments[0] : nullptr;
}

void give_item(Session& session, Thread& thread, PyObject* container, PyObject* item) {
  Synchronization& synchronization = session.detector().synchronization();
  const Synchronization::Id id = id_of(session, container);
  // A deque of limited length drops what it has no room for.
  if (item == nullptr || has_most(container)) return synchronization.give(thread, id);
  synchronization.give_item(thread, id, item_of(item));
}

void before(const Replaced& what, PyObject* self, PyObject* argument) {
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  Synchronization& synchronization = session->detector().synchronization();
  switch (what.role) {
    case Role::release: return synchronization.release(*thread, id_of(*session, self));
    case Role::release_all: return synchronization.release_all(*thread, id_of(*session, self));
    case Role::give: return synchronization.give(*thread, id_of(*session, self));
    case Role::give_item: return give_item(*session, *thread, self, argument);
    default: return;
  }
}

bool gets(Role role) {
  return role == Role::acquire || role == Role::acquire_again || role == Role::take ||
         role == Role::take_item || role == Role::own;
}

void learn(const Replaced& what, PyObject* self, PyObject* result) {
  if (!gets(what.role)) return;
  if (what.role == Role::own && !can_be_owned(result)) return;
  const bool is_item = what.role == Role::take_item || what.role == Role::own;
  if (result == Py_False && !is_item) return;  // not acquired
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  const Synchronization::Id id = id_of(*session, self);
  Synchronization& synchronization = session->detector().synchronization();
  if (what.role == Role::take) return synchronization.take(*thread, id);
  if (what.role == Role::own) {
    return session->detector().handover().take(*thread, static_cast<ObjectId>(id), result);
  }
  if (what.role == Role::take_item) {
    return synchronization.take_item(*thread, id, item_of(result));
  }
  synchronization.let_go_dead(*thread, session->detector().objects());
  if (what.role == Role::acquire_again) return synchronization.acquire_again(*thread, id);
  synchronization.acquire(*thread, id);
  session->note_lock(id, gilscope_running_frame());
}

// Whether the thread has taken something, or released a lock: it may have to rest.
void rest(const Replaced& what, PyObject* self) {
  const bool takes = what.role == Role::take_item || what.role == Role::own;
  const bool releases = what.role == Role::release || what.role == Role::release_all;
  if (!takes && !releases) return;
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  Thread* thread = session->thread();
  if (thread == nullptr || thread->is_inside) return;
  if (takes) return rests::took_in_program(*session, *thread, self);
  rests::released(*session, *thread);
}

void after(const Replaced& what, PyObject* self, PyObject* result) {
  if (result == nullptr) return;
  learn(what, self, result);
  rest(what, self);
}

template <std::size_t I, typename... Rest>
PyObject* stand_in(PyObject* self, Rest... rest) {
  const Replaced& what = replaced[I];
  before(what, self, first_argument(what, rest...));
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
  replaced[count] = {definition, definition->ml_meth, role, false};
  return count++;
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
  PyCFunction stand_in = number < kMost ? choose(definition->ml_flags, number) : nullptr;
  if (stand_in == nullptr) {
    PyErr_Format(PyExc_LookupError, "%s.%s takes its arguments in an unknown way", type->tp_name,
                 name);
    return -1;
  }
  replaced[number].original = definition->ml_meth;
  replaced[number].is_in_place = true;
  definition->ml_meth = stand_in;
  return 0;
}

void restore_all() {
  for (std::size_t i = count; i-- > 0;) {
    if (!replaced[i].is_in_place) continue;
    replaced[i].definition->ml_meth = replaced[i].original;
    replaced[i].is_in_place = false;
  }
}

}  // namespace gilscope::races::methods
