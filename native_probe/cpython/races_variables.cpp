#include "cpython/races_variables.hpp"

#include <algorithm>
#include <string_view>

namespace gilscope::races {
namespace {

PyTypeObject* count_type = nullptr;
PyObject* getattribute_name = nullptr;
PyObject* default_getattribute = nullptr;
PyObject* dict_name = nullptr;

Key key_of(Event& event, PyObject* key) {
  if (is_value(key)) return make_key(KeyKind::value, static_cast<Key>(PyObject_Hash(key)));
  return make_key(KeyKind::identity, event.session.detector().objects().find(key).id);
}

void describe(Event& event, PyObject* container, Key variable, PyObject* key) {
  std::vector<std::uint32_t> fresh;
  fresh.swap(event.thread.new_candidates);
  PyObject* raised = PyErr_GetRaisedException();
  PyObject* numbers = PyTuple_New(static_cast<Py_ssize_t>(fresh.size()));
  for (std::size_t i = 0; numbers != nullptr && i < fresh.size(); ++i) {
    PyTuple_SET_ITEM(numbers, static_cast<Py_ssize_t>(i), PyLong_FromUnsignedLong(fresh[i]));
  }
  PyObject* done = nullptr;
  if (numbers != nullptr) {
    done = PyObject_CallFunction(event.session.describe(), "OOiO", numbers, container,
                                 static_cast<int>(variable >> 60), key != nullptr ? key : Py_None);
  }
  if (done == nullptr) PyErr_Clear();
  Py_XDECREF(done);
  Py_XDECREF(numbers);
  PyErr_SetRaisedException(raised);
}

void access(Event& event, PyObject* container, Key variable, Op op, PyObject* key) {
  Detector& detector = event.session.detector();
  const Object object = event.owner.id != 0 ? event.owner : detector.objects().find(container);
  Recent& recent = event.recent(variable);
  event.is_shared = false;
  if (event.is_recent(recent, object.id, variable, op)) return;
  if (!event.has_stack) {
    event.stack = event.session.stack_of(event.thread, event.operands.frame);
    event.has_stack = true;
  }
  const std::uint32_t taken = detector.taken(event.thread.slot);
  const bool is_idle =
      detector.access(event.thread, object, variable, op, event.site(), event.stack);
  recent = {};
  event.is_shared = !is_idle;
  if (is_idle) {
    recent = {variable,           event.operands.frame,  object.id, event.site(),
              event.thread.clock, event.thread.sequence, taken,     op};
  }
  if (!event.thread.new_candidates.empty()) describe(event, container, variable, key);
}

bool has_default_getattr(PyTypeObject* type) {
  if (type->tp_getattro == PyObject_GenericGetAttr) return true;
  if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) return false;
  // A class with __getattr__ alone finds its attributes as others do, and asks that one last.
  PyObject* found = _PyType_LookupRef(type, getattribute_name);
  const bool is_default = found != nullptr && found == default_getattribute;
  Py_XDECREF(found);
  return is_default;
}

void touch_array(Event& event, PyObject* array, PyObject* key, Op op) {
  if (!PyLong_CheckExact(key)) {
    if (PySlice_Check(key)) {
      return touch_structure(event, array, writes(op) ? Op::change : Op::read);
    }
    // Of more than one dimension.
    if (is_value(key)) touch(event, array, key_of(event, key), op, key);
    return;
  }
  Py_ssize_t index = PyLong_AsSsize_t(key);
  if (index == -1 && PyErr_Occurred() != nullptr) return PyErr_Clear();
  // The length of a class of the program may be code.
  if (index < 0 && (Py_TYPE(array)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) != 0) {
    index += PyObject_Size(array);
    if (PyErr_Occurred() != nullptr) return PyErr_Clear();
  }
  const ArrayPlace place = place_of(array, index);
  event.owner = event.session.detector().objects().find(place.owner);
  touch(event, array, make_key(KeyKind::index, place.key), op, key);
  event.owner = {};
}

// The class that has the attribute in its own namespace, and whether it is more than a value.
PyTypeObject* holder_of(PyTypeObject* type, PyObject* name, bool* is_descriptor) {
  PyObject* mro = type->tp_mro;
  for (Py_ssize_t i = 0; mro != nullptr && i < PyTuple_GET_SIZE(mro); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro, i));
    PyObject* names = PyType_GetDict(base);
    PyObject* value = nullptr;
    if (names != nullptr && PyDict_GetItemRef(names, name, &value) < 0) PyErr_Clear();
    Py_XDECREF(names);
    if (value == nullptr) continue;
    *is_descriptor = Py_TYPE(value)->tp_descr_get != nullptr;
    Py_DECREF(value);
    return base;
  }
  return nullptr;
}

void touch_class(Event& event, PyTypeObject* type, PyObject* name, Key hash, Op op) {
  const bool is_program = (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
  if (!is_program) return;
  if (writes(op)) {
    auto* meta = Py_TYPE(type);
    if (meta->tp_setattro != PyType_Type.tp_setattro && !event.is_direct) return;
    touch(event, reinterpret_cast<PyObject*>(type), make_key(KeyKind::attribute, hash), op, name);
    return;
  }
  bool is_descriptor = false;
  PyTypeObject* holder = holder_of(type, name, &is_descriptor);
  if (holder == nullptr || (holder->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) return;
  if (is_descriptor) {
    event.is_over = event.instruction().is_method && !event.session.has_declared();
    return;
  }
  touch(event, reinterpret_cast<PyObject*>(holder), make_key(KeyKind::attribute, hash), op, name);
}

// What an attribute of a type's instances is; kept with the instruction that uses it.
enum class Found : std::uint64_t { unknown, variable, code };

Found remembered(const Event& event, const PyTypeObject* type) {
  const std::uint64_t word =
      __atomic_load_n(&event.table.instructions[event.unit].looked_up, __ATOMIC_RELAXED);
  const std::uint64_t version = type->tp_version_tag;
  return version != 0 && word >> 2 == version ? static_cast<Found>(word & 3) : Found::unknown;
}

void remember(const Event& event, const PyTypeObject* type, Found found) {
  __atomic_store_n(&event.table.instructions[event.unit].looked_up,
                   std::uint64_t{type->tp_version_tag} << 2 | static_cast<std::uint64_t>(found),
                   __ATOMIC_RELAXED);
}

bool is_value_of_c(PyObject* descriptor) {
  return Py_IS_TYPE(descriptor, &PyMemberDescr_Type) ||
         Py_IS_TYPE(descriptor, &PyGetSetDescr_Type) ||
         std::string_view(Py_TYPE(descriptor)->tp_name) == "_ctypes.CField";
}

// Of an object that is neither a class nor a module.
void touch_instance(Event& event, PyObject* owner, PyObject* name, Key hash, Op op) {
  PyTypeObject* type = Py_TYPE(owner);
  const Found known = remembered(event, type);
  if (known == Found::code) return;
  if (known == Found::variable) {
    return touch(event, owner, make_key(KeyKind::attribute, hash), op, name);
  }
  const bool is_code =
      writes(op) ? type->tp_setattro != PyObject_GenericSetAttr : !has_default_getattr(type);
  if (is_code && !event.is_direct) return;
  PyObject* found = _PyType_LookupRef(type, name);
  // C code keeps a value there: a slot, a field of a structure of ctypes, c_long().value.
  const bool is_slot = found != nullptr && is_value_of_c(found) && name != dict_name;
  const bool is_data = found != nullptr && Py_TYPE(found)->tp_descr_set != nullptr;
  const bool is_bound = found != nullptr && Py_TYPE(found)->tp_descr_get != nullptr;
  Py_XDECREF(found);
  const bool is_program = event.instruction().name == name;
  if (is_data && !is_slot) {  // a property is code
    if (name == dict_name) return look_at_dict(event, owner);
    if (is_program) remember(event, type, Found::code);
    return;
  }
  if (is_bound && !is_data && !writes(op)) {
    event.is_over = event.instruction().is_method && !event.session.has_declared();
    return;
  }
  if (is_program && (found == nullptr || is_data || writes(op))) {
    remember(event, type, Found::variable);
  }
  touch(event, owner, make_key(KeyKind::attribute, hash), op, name);
  if (found != nullptr && !is_data && !writes(op)) touch_class(event, type, name, hash, op);
}

constexpr Py_ssize_t kFewItems = 16;

void touch_each_item(Event& event, PyObject* list) {
  const Py_ssize_t size = Py_SIZE(list);
  if (!event.is_shared || size > kFewItems) return;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* index = PyLong_FromSsize_t(i);  // a small one: always there
    touch(event, list, make_key(KeyKind::index, static_cast<Key>(i)), Op::read, index);
    Py_XDECREF(index);
  }
}

void touch_each_value(Event& event, PyObject* dict) {
  if (!event.is_shared || PyDict_GET_SIZE(dict) > kFewItems) return;
  PyObject* keys = PyDict_Keys(dict);
  if (keys == nullptr) return PyErr_Clear();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); ++i) {
    touch_item(event, dict, PyList_GET_ITEM(keys, i), Op::read);
  }
  Py_DECREF(keys);
}

}  // namespace

bool is_variable(const Event& event, PyObject* owner) {
  // Nothing is remembered of classes and modules.
  return owner != nullptr && remembered(event, Py_TYPE(owner)) == Found::variable;
}

int initialize_variables() {
  PyObject* module = PyImport_ImportModule("itertools");
  PyObject* count = module != nullptr ? PyObject_GetAttrString(module, "count") : nullptr;
  Py_XDECREF(module);
  if (count == nullptr) return -1;
  count_type = reinterpret_cast<PyTypeObject*>(count);
  dict_name = PyUnicode_InternFromString("__dict__");
  getattribute_name = PyUnicode_InternFromString("__getattribute__");
  if (dict_name == nullptr || getattribute_name == nullptr) return -1;
  default_getattribute = _PyType_LookupRef(&PyBaseObject_Type, getattribute_name);
  return default_getattribute != nullptr ? 0 : -1;
}

void put(Event& event, PyObject* container, PyObject* item) {
  if (!can_be_owned(item)) return;
  Detector& detector = event.session.detector();
  detector.handover().give(event.thread, detector.objects().find(container).id, item);
  // What this thread does with it from now on is not known to who takes it.
  if (event.is_shared) event.thread.advance();
}

void look_at_dict(Event& event, PyObject* owner) {
  if ((Py_TYPE(owner)->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) return;
  PyObject* dict = PyObject_GenericGetDict(owner, nullptr);  // as the event is about to do
  if (dict == nullptr) return PyErr_Clear();
  Objects& objects = event.session.detector().objects();
  event.session.alias(objects.find(dict).id, objects.find(owner));
  Py_DECREF(dict);
}

// Holds the thread where a race is to be made happen, before its access.
void touch(Event& event, PyObject* container, Key variable, Op op, PyObject* key) {
  Meetings& meetings = event.session.meetings();
  if (!meetings.is_used() || !event.may_wait || !meetings.has(event.site())) {
    return access(event, container, variable, op, key);
  }
  const ObjectId object = event.session.detector().objects().find(container).id;
  const Arrival arrival{event.site(), event.thread.serial, object, variable};
  Py_INCREF(container);  // the thread's own reference may go where it is shared
  PyObject* raised = PyErr_GetRaisedException();
  Py_BEGIN_ALLOW_THREADS;
  meetings.arrive(arrival);
  Py_END_ALLOW_THREADS;
  PyErr_SetRaisedException(raised);
  access(event, container, variable, op, key);
  meetings.passed(arrival);
  Py_DECREF(container);
}

void wait_at_lock(const Event& event) {
  Meetings& meetings = event.session.meetings();
  if (!meetings.is_used() || !event.may_wait || !meetings.has(event.site())) return;
  PyObject* raised = PyErr_GetRaisedException();
  Py_BEGIN_ALLOW_THREADS;
  meetings.arrive_at_lock(event.site(), event.thread.serial);
  Py_END_ALLOW_THREADS;
  PyErr_SetRaisedException(raised);
}

void touch_attribute(Event& event, PyObject* owner, PyObject* name, Key hash, Op op) {
  if (is_variable(event, owner) && event.instruction().name == name) {
    return touch(event, owner, make_key(KeyKind::attribute, hash), op, name);
  }
  if (PyModule_Check(owner)) {
    touch_global(event, PyModule_GetDict(owner), name, hash, op);
  } else if (PyType_Check(owner)) {
    touch_class(event, reinterpret_cast<PyTypeObject*>(owner), name, hash, op);
  } else {
    touch_instance(event, owner, name, hash, op);
  }
}

void touch_global(Event& event, PyObject* globals, PyObject* name, Key hash, Op op) {
  touch(event, globals, make_key(KeyKind::value, hash), op, name);
}

void touch_item(Event& event, PyObject* container, PyObject* key, Op op) {
  const bool is_of_list = event.is_direct && PyList_Check(container);
  if (is_of_list || is_list(container) || has_items_of_deque(container)) {
    if (!PyLong_CheckExact(key)) {
      return touch_structure(event, container, writes(op) ? Op::change : Op::read);
    }
    Py_ssize_t index = PyLong_AsSsize_t(key);
    if (index == -1 && PyErr_Occurred() != nullptr) return PyErr_Clear();
    if (index < 0) index += Py_SIZE(container);
    touch(event, container, make_key(KeyKind::index, static_cast<Key>(index)), op, key);
    if (op == Op::remove) touch_structure(event, container, op);
    return;
  }
  if (!(event.is_direct ? PyDict_Check(container) : is_dict(container))) {
    if (is_array(container)) touch_array(event, container, key, op);
    return;
  }
  if (op == Op::remove && event.is_item(Action::delete_subscr) && !event.is_direct &&
      !removes_as_dict(Py_TYPE(container))) {
    return;  // a method of the program, which may take a lock
  }
  const Key variable = key_of(event, key);
  event.owner = PyUnicode_CheckExact(key) ? event.session.aliased(container) : Object{};
  if (event.owner.id != 0) {
    touch(event, container, make_key(KeyKind::attribute, hash_of_name(key)), op, key);
    event.owner = {};
    return;
  }
  if (op == Op::store && event.has_just_done(container, variable)) return;
  const bool may_add =
      event.is_item(Action::load_subscr) && !writes(op) && adds_what_is_missing(container);
  const int has = writes(op) || may_add ? has_key(container, key) : -1;
  if (may_add && has == 0) {  // d[key] adds the key, and reads what it has added
    touch_structure(event, container, Op::add);
    // Two threads that find it missing store a default each; another number changes nothing.
    if (adds_what_can_change(container)) touch(event, container, variable, Op::read, key);
    touch(event, container, variable, Op::store, key);
  }
  if (op == Op::store && has == 0) touch_structure(event, container, Op::add);
  const bool fails = has == 0 && event.is_item(Action::delete_subscr);
  if (op == Op::remove && (has != 0 || fails)) touch_structure(event, container, Op::remove);
  // pop() with a default; `del` is about to fail, since somebody else has been faster.
  if (op == Op::remove && has == 0 && !fails) return;
  touch(event, container, variable, op, key);
}

void touch_member(Event& event, PyObject* set, PyObject* member, Op op) {
  const int has = writes(op) ? has_key(set, member) : -1;
  if (op == Op::add && has == 0) touch_structure(event, set, Op::add);
  if (op == Op::remove && has != 0) touch_structure(event, set, Op::remove);
  touch(event, set, key_of(event, member), op == Op::add ? Op::store : op, member);
}

void touch_iterable(Event& event, PyObject* iterable, Op op) {
  if (PyDictViewSet_Check(iterable) || Py_IS_TYPE(iterable, &PyDictValues_Type)) {
    auto* dict = static_cast<PyObject*>(gilscope_viewed(iterable));
    if (dict != nullptr) touch_structure(event, dict, op);
  } else if (is_container(iterable)) {
    // An array goes on by its index, as a list does, and its iterator does not say where it is.
    touch_structure(event, iterable, is_array(iterable) ? Op::read : op);
  } else if (Py_TYPE(iterable)->tp_iter == PyObject_SelfIter && op == Op::iterate) {
    touch_iterator(event, iterable);
  }
}

void touch_values(Event& event, PyObject* dict) {
  touch_structure(event, dict, Op::read);
  touch_each_value(event, dict);
}

void touch_whole(Event& event, PyObject* iterable, Op op) {
  event.is_shared = false;
  touch_iterable(event, iterable, op);
  if (Py_IS_TYPE(iterable, &PyDictValues_Type) || Py_IS_TYPE(iterable, &PyDictItems_Type)) {
    auto* dict = static_cast<PyObject*>(gilscope_viewed(iterable));
    if (dict != nullptr && is_dict(dict)) touch_each_value(event, dict);
  } else if (is_list(iterable) || has_items_of_deque(iterable)) {
    touch_each_item(event, iterable);
  }
}

void touch_contained(Event& event, PyObject* container, PyObject* key) {
  if (is_dict(container) || (event.is_direct && PyDict_Check(container))) {
    return touch_item(event, container, key, Op::read);
  }
  if (is_set(container)) return touch_member(event, container, key, Op::read);
  if (PyDictViewSet_Check(container)) {
    auto* dict = static_cast<PyObject*>(gilscope_viewed(container));
    if (dict != nullptr && PyDictKeys_Check(container)) touch_item(event, dict, key, Op::read);
    return;
  }
  touch_iterable(event, container, Op::read);
}

void touch_iterator(Event& event, PyObject* iterator) {
  const PyTypeObject* type = Py_TYPE(iterator);
  if (type->tp_iternext == nullptr || (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) {
    // A class of the program is code; itertools' are heap types, and none of the program's.
    const char* dot = type->tp_iternext != nullptr ? type->tp_name : "";
    if (std::string_view(dot).substr(0, 10) != "itertools.") return;
  }
  if (type == count_type) return;  // takes its numbers by one atomic operation
  if (std::string_view(type->tp_name).substr(0, 4) == "_io.") return;
  touch(event, iterator, make_key(KeyKind::position), Op::advance);
  auto* over = static_cast<PyObject*>(gilscope_iterated(iterator));
  if (over != nullptr) touch_structure(event, over, Op::iterate);
}

}  // namespace gilscope::races
