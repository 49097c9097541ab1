#include "cpython/races_variables.hpp"

#include <algorithm>
#include <string_view>

namespace gilscope::races {
namespace {

constexpr int kMaxNesting = 3;  // of tuples in keys

PyTypeObject* deque_type = nullptr;
PyTypeObject* ordered_type = nullptr;
PyTypeObject* count_type = nullptr;
PyObject* getattribute_name = nullptr;
PyObject* default_getattribute = nullptr;
PyObject* dict_name = nullptr;
PyObject* maxlen = nullptr;  // the descriptor
PyObject* getitem_name = nullptr;
PyObject* setitem_name = nullptr;
PyObject* delitem_name = nullptr;
PyObject* counter_delitem = nullptr;  // Counter's, which ignores keys that are not there

// Equal where the keys are, and none of the program's code runs: exact str, int, bytes, float and
// tuples of those.
bool is_value(PyObject* key, int nesting = 0) {
  if (PyUnicode_CheckExact(key) || PyLong_CheckExact(key) || PyBytes_CheckExact(key) ||
      PyFloat_CheckExact(key)) {
    return true;
  }
  if (!PyTuple_CheckExact(key) || nesting == kMaxNesting) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) {
    PyObject* item = PyTuple_GET_ITEM(key, i);
    if (item != Py_None && !is_value(item, nesting + 1)) return false;
  }
  return true;
}

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

// What a class has by this name, itself or by a base; to be compared and nothing else.
PyObject* own_or_inherited(PyTypeObject* type, PyObject* name) {
  PyObject* found = _PyType_LookupRef(type, name);
  Py_XDECREF(found);
  return found;
}

// A class of the program that has a method of its own for another purpose reads and stores items as
// dict does all the same.
bool has_items_of_dict(PyTypeObject* type) {
  PyObject* stores = own_or_inherited(type, setitem_name);
  return own_or_inherited(type, getitem_name) == own_or_inherited(&PyDict_Type, getitem_name) &&
         (stores == own_or_inherited(&PyDict_Type, setitem_name) ||
          stores == own_or_inherited(ordered_type, setitem_name));
}

// Whether `del` of an item runs no code of the program.
bool removes_as_dict(PyTypeObject* type) {
  if (type == &PyDict_Type) return true;
  PyObject* removes = own_or_inherited(type, delitem_name);
  return removes == own_or_inherited(&PyDict_Type, delitem_name) ||
         removes == own_or_inherited(ordered_type, delitem_name) || removes == counter_delitem;
}

// Where an item of an array is: the object that owns the memory, and the place in it. Two views of
// one bytearray share its items.
struct ArrayPlace {
  PyObject* owner;
  Key key;
};

ArrayPlace place_of(PyObject* array, Py_ssize_t index) {
  if (!PyMemoryView_Check(array)) return {array, static_cast<Key>(index)};
  const Py_buffer* view = PyMemoryView_GET_BUFFER(array);
  PyObject* owner = view->obj != nullptr ? view->obj : array;
  const Py_ssize_t stride = view->ndim == 1 && view->strides != nullptr ? view->strides[0] : 0;
  // Memory of a class of the program is code.
  const bool is_code = (Py_TYPE(owner)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) == 0;
  if (owner == array || stride == 0 || is_code) return {array, static_cast<Key>(index)};
  Py_buffer whole;
  if (PyObject_GetBuffer(owner, &whole, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    return {array, static_cast<Key>(index)};
  }
  const Py_ssize_t first = static_cast<const char*>(view->buf) - static_cast<char*>(whole.buf);
  PyBuffer_Release(&whole);
  return {owner, static_cast<Key>(first + index * stride)};
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
    if (meta->tp_setattro != PyType_Type.tp_setattro) return;
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
  if (writes(op) ? type->tp_setattro != PyObject_GenericSetAttr : !has_default_getattr(type)) {
    return;
  }
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

int initialize_item_names() {
  getitem_name = PyUnicode_InternFromString("__getitem__");
  setitem_name = PyUnicode_InternFromString("__setitem__");
  delitem_name = PyUnicode_InternFromString("__delitem__");
  if (getitem_name == nullptr || setitem_name == nullptr || delitem_name == nullptr) return -1;
  PyObject* module = PyImport_ImportModule("collections");
  PyObject* counter = module != nullptr ? PyObject_GetAttrString(module, "Counter") : nullptr;
  Py_XDECREF(module);
  if (counter == nullptr) return -1;
  counter_delitem = PyObject_GetAttr(counter, delitem_name);
  Py_DECREF(counter);
  return counter_delitem != nullptr ? 0 : -1;
}

}  // namespace

bool is_variable(const Event& event, PyObject* owner) {
  // Nothing is remembered of classes and modules.
  return owner != nullptr && remembered(event, Py_TYPE(owner)) == Found::variable;
}

int initialize_variables() {
  PyObject* module = PyImport_ImportModule("collections");
  PyObject* deque = module != nullptr ? PyObject_GetAttrString(module, "deque") : nullptr;
  Py_XDECREF(module);
  if (deque == nullptr) return -1;
  deque_type = reinterpret_cast<PyTypeObject*>(deque);
  if (initialize_item_names() < 0) return -1;
  ordered_type = &PyODict_Type;
  module = PyImport_ImportModule("itertools");
  PyObject* count = module != nullptr ? PyObject_GetAttrString(module, "count") : nullptr;
  Py_XDECREF(module);
  if (count == nullptr) return -1;
  count_type = reinterpret_cast<PyTypeObject*>(count);
  maxlen = PyObject_GetAttrString(deque, "maxlen");
  dict_name = PyUnicode_InternFromString("__dict__");
  if (maxlen == nullptr || dict_name == nullptr) return -1;
  getattribute_name = PyUnicode_InternFromString("__getattribute__");
  if (getattribute_name == nullptr) return -1;
  default_getattribute = _PyType_LookupRef(&PyBaseObject_Type, getattribute_name);
  return default_getattribute != nullptr ? 0 : -1;
}

bool is_dict(PyObject* object) {
  if (PyDict_CheckExact(object)) return true;
  if (!PyDict_Check(object)) return false;
  const PyMappingMethods* own = Py_TYPE(object)->tp_as_mapping;
  const PyMappingMethods* usual = PyDict_Type.tp_as_mapping;
  return own != nullptr && own->mp_subscript == usual->mp_subscript &&
         (own->mp_ass_subscript == usual->mp_ass_subscript ||
          own->mp_ass_subscript == ordered_type->tp_as_mapping->mp_ass_subscript ||
          has_items_of_dict(Py_TYPE(object)));
}

bool is_list(PyObject* object) {
  if (PyList_CheckExact(object)) return true;
  if (!PyList_Check(object)) return false;
  const PyMappingMethods* own = Py_TYPE(object)->tp_as_mapping;
  const PyMappingMethods* usual = PyList_Type.tp_as_mapping;
  return own != nullptr && own->mp_subscript == usual->mp_subscript &&
         own->mp_ass_subscript == usual->mp_ass_subscript;
}

bool is_array(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type->tp_as_mapping == nullptr || type->tp_as_mapping->mp_ass_subscript == nullptr ||
      !PyObject_CheckBuffer(object)) {
    return false;
  }
  for (PyObject* name : {getitem_name, setitem_name}) {
    PyObject* found = _PyType_LookupRef(type, name);
    const bool is_of_c = found != nullptr && Py_IS_TYPE(found, &PyWrapperDescr_Type);
    Py_XDECREF(found);
    if (!is_of_c) return false;
  }
  return true;
}

bool is_set(PyObject* object) { return PySet_Check(object); }

bool is_deque(PyObject* object) { return PyObject_TypeCheck(object, deque_type) != 0; }

bool changes_in_place(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  const bool adds = type->tp_as_number != nullptr && type->tp_as_number->nb_inplace_add != nullptr;
  return adds || (type->tp_as_number != nullptr && type->tp_as_number->nb_inplace_or != nullptr) ||
         (type->tp_as_sequence != nullptr && type->tp_as_sequence->sq_inplace_concat != nullptr);
}

bool can_be_owned(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  if (is_container(object)) return true;
  return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && (type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0;
}

bool has_most(PyObject* container) {
  if (!is_deque(container)) return false;
  PyObject* most = Py_TYPE(maxlen)->tp_descr_get(maxlen, container, nullptr);
  const bool has = most != nullptr && most != Py_None;
  if (most == nullptr) PyErr_Clear();
  Py_XDECREF(most);
  return has;
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

int has_key(PyObject* container, PyObject* key) {
  if (!is_value(key)) return -1;
  const int has =
      PyDict_Check(container) ? PyDict_Contains(container, key) : PySet_Contains(container, key);
  if (has < 0) PyErr_Clear();
  return has;
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
  if (is_list(container)) {
    if (!PyLong_CheckExact(key)) {
      return touch_structure(event, container, writes(op) ? Op::change : Op::read);
    }
    Py_ssize_t index = PyLong_AsSsize_t(key);
    if (index == -1 && PyErr_Occurred() != nullptr) return PyErr_Clear();
    if (index < 0) index += PyList_GET_SIZE(container);
    touch(event, container, make_key(KeyKind::index, static_cast<Key>(index)), op, key);
    if (op == Op::remove) touch_structure(event, container, op);
    return;
  }
  if (!is_dict(container)) {
    if (is_array(container)) touch_array(event, container, key, op);
    return;
  }
  if (op == Op::remove && event.instruction().action == Action::delete_subscr &&
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
  const int has = writes(op) ? has_key(container, key) : -1;
  if (op == Op::store && has == 0) touch_structure(event, container, Op::add);
  const bool fails = has == 0 && event.instruction().action == Action::delete_subscr;
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

void touch_iterator(Event& event, PyObject* iterator) {
  const PyTypeObject* type = Py_TYPE(iterator);
  if (type->tp_iternext == nullptr || (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) {
    // A class of the program is code; itertools' are heap types, and none of the program's.
    const char* dot = type->tp_iternext != nullptr ? type->tp_name : "";
    if (std::string_view(dot).substr(0, 10) != "itertools.") return;
  }
#if PY_VERSION_HEX >= 0x030E0000
  if (type == count_type) return;  // safe from 3.14 on
#endif
  if (std::string_view(type->tp_name).substr(0, 4) == "_io.") return;
  touch(event, iterator, make_key(KeyKind::position), Op::advance);
  auto* over = static_cast<PyObject*>(gilscope_iterated(iterator));
  if (over != nullptr) touch_structure(event, over, Op::iterate);
}

}  // namespace gilscope::races
