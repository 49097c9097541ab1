#include "cpython/races_calls.hpp"

#include <algorithm>

#include "cpython/races_effects.hpp"

namespace gilscope::races {
namespace {

constexpr Py_ssize_t kMostItems = 64;  // of what is given to one call

// A method of an operator that is bound to its object: d.__setitem__ (Objects/descrobject.c).
struct MethodWrapper {
  PyObject_HEAD PyWrapperDescrObject* descriptor;
  PyObject* self;
};

// A call, taken apart. `self` is nullptr for functions.
struct Call {
  PyObject* self = nullptr;
  int first = 0;  // places below the top of the first argument
  int count = 0;
  PyObject* names = nullptr;  // of the arguments that are given by name

  PyObject* argument(const Event& event, int number) const {
    return number < count ? event.at(first - number) : nullptr;
  }
};

// Counter(words), counter.update(words).
void count_elements(Event& event, PyObject* counts, PyObject* elements) {
  const bool is_known =
      elements != nullptr && (PyList_CheckExact(elements) || PyTuple_CheckExact(elements) ||
                              PyUnicode_CheckExact(elements));
  if (!is_known || !is_dict(counts)) return;
  PyObject* copy = PySequence_Tuple(elements);  // the list may be shared
  if (copy == nullptr) return PyErr_Clear();
  for (Py_ssize_t i = 0; i < std::min(PyTuple_GET_SIZE(copy), kMostItems); ++i) {
    PyObject* key = PyTuple_GET_ITEM(copy, i);
    touch_item(event, counts, key, Op::read);
    touch_item(event, counts, key, Op::store);
  }
  Py_DECREF(copy);
}

void on_item(Event& event, const Call& call, Effect effect) {
  PyObject* key = call.argument(event, 0);
  if (key == nullptr) return;
  const bool is_read = effect == Effect::get_item;
  const bool is_store = effect == Effect::set_item;
  event.item = is_read    ? Action::load_subscr
               : is_store ? Action::store_subscr
                          : Action::delete_subscr;
  touch_item(event, call.self, key, is_read ? Op::read : is_store ? Op::store : Op::remove);
  PyObject* value = is_store ? call.argument(event, 1) : nullptr;
  if (value != nullptr && PyDict_Check(call.self)) put(event, call.self, value);
}

void on_container(Event& event, const Call& call, Effect effect) {
  PyObject* self = call.self;
  PyObject* key = call.argument(event, 0);
  switch (effect) {
    case Effect::read: return touch_structure(event, self, Op::read);
    case Effect::iterate: return touch_whole(event, self, Op::iterate);
    case Effect::read_all: return touch_whole(event, self, Op::read);
    case Effect::read_values: return touch_values(event, self);
    case Effect::contains:
      if (key != nullptr) touch_contained(event, self, key);
      return;
    case Effect::get_item:
    case Effect::set_item:
    case Effect::delete_item: return on_item(event, call, effect);
    case Effect::add:
      touch_structure(event, self, Op::add);
      // list.insert(index, item); what is extended by is many.
      if (PyObject* item = call.argument(event, call.count - 1)) put(event, self, item);
      return;
    case Effect::remove: return touch_structure(event, self, Op::remove);
    case Effect::change: return touch_structure(event, self, Op::change);
    case Effect::update: return touch_update(event, self, key, call.names);
    case Effect::get_key:
      if (key != nullptr) touch_item(event, self, key, Op::read);
      return;
    case Effect::pop_key:
      if (key != nullptr) touch_item(event, self, key, Op::remove);
      return;
    case Effect::set_default:
      if (key == nullptr) return;
      return touch_item(event, self, key, has_key(self, key) == 0 ? Op::store : Op::read);
    case Effect::add_member:
      if (key == nullptr) return;
      touch_member(event, self, key, Op::add);
      return put(event, self, key);
    case Effect::remove_member:
      if (key != nullptr) touch_member(event, self, key, Op::remove);
      return;
    default: return;
  }
}

Op op_of(Effect effect) {
  if (effect == Effect::get_attribute) return Op::read;
  return effect == Effect::set_attribute ? Op::store : Op::remove;
}

bool is_of_attribute(Effect effect) {
  return effect == Effect::get_attribute || effect == Effect::set_attribute ||
         effect == Effect::delete_attribute;
}

void on_attribute(Event& event, PyObject* owner, PyObject* name, Effect effect) {
  if (owner == nullptr || name == nullptr || !PyUnicode_CheckExact(name)) return;
  touch_attribute(event, owner, name, hash_of_name(name), op_of(effect));
}

void on_function(Event& event, const Call& call, Effect effect) {
  PyObject* argument = call.argument(event, 0);
  if (argument == nullptr) return;
  switch (effect) {
    case Effect::read: return touch_iterable(event, argument, Op::read);
    case Effect::begin:
      for (int i = 0; i < call.count; ++i) {
        PyObject* each = call.argument(event, i);
        if (each != nullptr && Py_TYPE(each)->tp_iter != PyObject_SelfIter) {
          touch_whole(event, each, Op::iterate);
        }
      }
      return;
    case Effect::iterate: return touch_whole(event, argument, Op::iterate);
    case Effect::read_all: return touch_whole(event, argument, Op::read);
    case Effect::read_values:
      if (is_dict(argument)) return touch_values(event, argument);
      return touch_whole(event, argument, Op::read);
    case Effect::advance: return touch_iterator(event, argument);
    case Effect::get_attribute:
    case Effect::set_attribute:
    case Effect::delete_attribute:
      return on_attribute(event, argument, call.argument(event, 1), effect);
    case Effect::look_at_dict: return look_at_dict(event, argument);
    case Effect::count: return count_elements(event, argument, call.argument(event, 1));
    default: break;
  }
  // Those of heapq and operator do it to their first argument.
  if (is_container(argument)) {
    on_container(event, {argument, call.first - 1, call.count - 1, nullptr}, effect);
  }
}

// A method of a class of C that is called with its object, however it was found: by its name, by
// super(), by the name of the class.
void on_method(Event& event, const Call& call, Effect effect) {
  event.is_direct = true;
  if (is_of_attribute(effect)) {
    on_attribute(event, call.self, call.argument(event, 0), effect);
  } else if (effect == Effect::advance) {
    touch_iterator(event, call.self);
  } else if (has_storage_of_container(call.self)) {
    on_container(event, call, effect);
  }
}

// The object that a method is bound to; nullptr: it is none.
PyObject* bound_to(PyObject* callable) {
  if (PyMethod_Check(callable)) return PyMethod_GET_SELF(callable);
  return PyCFunction_Check(callable) ? PyCFunction_GET_SELF(callable) : nullptr;
}

// What a bound method of C is bound to; nullptr: it is a function of a module, or a class.
PyObject* bound_to_c(PyObject* callable) {
  if (is_bound_slot(callable)) {
    return reinterpret_cast<MethodWrapper*>(callable)->self;
  }
  if (!PyCFunction_Check(callable)) return nullptr;
  const auto* function = reinterpret_cast<PyCFunctionObject*>(callable);
  if ((function->m_ml->ml_flags & METH_STATIC) != 0) return nullptr;
  return function->m_self != nullptr && PyModule_Check(function->m_self) ? nullptr
                                                                         : function->m_self;
}

Effect effect_of_callable(PyObject* callable) {
  if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
    return effect_of(reinterpret_cast<PyMethodDescrObject*>(callable)->d_method);
  }
  if (PyCFunction_Check(callable)) {
    return effect_of(reinterpret_cast<PyCFunctionObject*>(callable)->m_ml);
  }
  if (PyType_Check(callable)) return effect_of(reinterpret_cast<PyTypeObject*>(callable));
  if (Py_IS_TYPE(callable, &PyWrapperDescr_Type)) {
    return effect_of_slot(reinterpret_cast<PyWrapperDescrObject*>(callable)->d_base->name);
  }
  if (is_bound_slot(callable)) {
    return effect_of_slot(reinterpret_cast<MethodWrapper*>(callable)->descriptor->d_base->name);
  }
  return Effect::none;
}

}  // namespace

void touch_update(Event& event, PyObject* dict, PyObject* from, PyObject* names) {
  touch_structure(event, dict, Op::add);
  for (Py_ssize_t i = 0; names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    touch_item(event, dict, PyTuple_GET_ITEM(names, i), Op::store);
  }
  if (from == nullptr || !PyDict_CheckExact(from) || PyDict_GET_SIZE(from) > kMostItems) return;
  PyObject* keys = PyDict_Keys(from);
  if (keys == nullptr) return PyErr_Clear();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); ++i) {
    touch_item(event, dict, PyList_GET_ITEM(keys, i), Op::store);
  }
  Py_DECREF(keys);
}

void touch_call(Event& event, int below, int arguments, PyObject* names) {
  PyObject* callable = event.at(below);
  PyObject* self = event.at(below - 1);
  if (callable == nullptr) return;
  // The end of a `with` statement calls what its beginning has looked up.
  if (event.session.has_declared()) {
    PyObject* object = bound_to(callable);
    if (object != nullptr && event.session.follow(event.thread, object)) return;
  }
  const int count = arguments - static_cast<int>(names != nullptr ? PyTuple_GET_SIZE(names) : 0);
  Call call{self, below - 2, count, names};
  const Effect effect = effect_of_callable(callable);
  if (effect == Effect::none) return;
  if (Py_IS_TYPE(callable, &PyMethodDescr_Type) || Py_IS_TYPE(callable, &PyWrapperDescr_Type)) {
    if (self == nullptr) call = {call.argument(event, 0), below - 3, count - 1, names};
    if (call.self != nullptr) on_method(event, call, effect);
    return;
  }
  if (self != nullptr) call = {nullptr, below - 1, count + 1, names};
  call.self = bound_to_c(callable);
  if (call.self != nullptr) return on_method(event, call, effect);
  on_function(event, call, effect);
}

}  // namespace gilscope::races
