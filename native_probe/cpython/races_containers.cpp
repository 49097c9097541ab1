#include "cpython/races_containers.hpp"

#include <initializer_list>

namespace gilscope::races {
namespace {

constexpr int kMaxNesting = 3;  // of tuples in keys

PyTypeObject* deque_type = nullptr;
PyTypeObject* default_type = nullptr;  // defaultdict
PyTypeObject* ordered_type = nullptr;
PyObject* maxlen = nullptr;          // the descriptor
PyObject* factory_member = nullptr;  // that of defaultdict.default_factory
PyObject* getitem_name = nullptr;
PyObject* setitem_name = nullptr;
PyObject* delitem_name = nullptr;
PyObject* counter_delitem = nullptr;  // Counter's, which ignores keys that are not there

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

int initialize_names() {
  getitem_name = PyUnicode_InternFromString("__getitem__");
  setitem_name = PyUnicode_InternFromString("__setitem__");
  delitem_name = PyUnicode_InternFromString("__delitem__");
  return getitem_name != nullptr && setitem_name != nullptr && delitem_name != nullptr ? 0 : -1;
}

// What a module of the standard library has by this name.
PyObject* attribute_of(const char* module_name, const char* name) {
  PyObject* module = PyImport_ImportModule(module_name);
  PyObject* found = module != nullptr ? PyObject_GetAttrString(module, name) : nullptr;
  Py_XDECREF(module);
  return found;
}

// Equal to itself alone.
bool is_by_identity(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  return type->tp_hash == PyBaseObject_Type.tp_hash &&
         type->tp_richcompare == PyBaseObject_Type.tp_richcompare;
}

// What tells a key from others: itself, or what it refers to weakly; nullptr: the program's code
// would have to be asked. To be compared and nothing else.
const PyObject* identity_of(PyObject* key) {
  if (PyWeakref_CheckRef(key)) return reinterpret_cast<PyWeakReference*>(key)->wr_object;
  return is_by_identity(key) ? key : nullptr;
}

bool has_in_set(PyObject* container, const PyObject* wanted) {
  const auto* set = reinterpret_cast<PySetObject*>(container);
  for (Py_ssize_t i = 0; i <= set->mask; ++i) {
    PyObject* member = set->table[i].key;
    if (member != nullptr && identity_of(member) == wanted) return true;
  }
  return false;
}

bool has_in_dict(PyObject* container, const PyObject* wanted) {
  PyObject* key = nullptr;
  Py_ssize_t place = 0;
  while (PyDict_Next(container, &place, &key, nullptr) != 0) {
    if (identity_of(key) == wanted) return true;
  }
  return false;
}

// has_key() of an object that is a key by its identity; -1 also where there are many.
int has_object(PyObject* container, PyObject* key) {
  constexpr Py_ssize_t kMost = 64;
  const PyObject* wanted = identity_of(key);
  if (wanted == nullptr || wanted == Py_None) return -1;
  const bool is_weak = PyWeakref_CheckRef(key) != 0;
  if (is_weak && !is_by_identity(const_cast<PyObject*>(wanted))) return -1;
  const Py_ssize_t size =
      PyDict_Check(container) ? PyDict_GET_SIZE(container) : PySet_GET_SIZE(container);
  if (size > kMost) return -1;
  bool has = false;
  Py_BEGIN_CRITICAL_SECTION(container);
  has = PyDict_Check(container) ? has_in_dict(container, wanted) : has_in_set(container, wanted);
  Py_END_CRITICAL_SECTION();
  return has ? 1 : 0;
}

}  // namespace

int initialize_containers() {
  if (initialize_names() < 0) return -1;
  ordered_type = &PyODict_Type;
  PyObject* deque = attribute_of("collections", "deque");
  if (deque == nullptr) return -1;
  deque_type = reinterpret_cast<PyTypeObject*>(deque);
  maxlen = PyObject_GetAttrString(deque, "maxlen");
  default_type = reinterpret_cast<PyTypeObject*>(attribute_of("collections", "defaultdict"));
  PyObject* counter = attribute_of("collections", "Counter");
  if (maxlen == nullptr || default_type == nullptr || counter == nullptr) return -1;
  factory_member =
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(default_type), "default_factory");
  if (factory_member == nullptr) return -1;
  counter_delitem = PyObject_GetAttr(counter, delitem_name);
  Py_DECREF(counter);
  return counter_delitem != nullptr ? 0 : -1;
}

bool is_value(PyObject* key, int nesting) {
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

bool is_dict(PyObject* object) {
  if (PyDict_CheckExact(object)) return true;
  if (!PyDict_Check(object)) return false;
  const PyMappingMethods* own = Py_TYPE(object)->tp_as_mapping;
  const PyMappingMethods* usual = PyDict_Type.tp_as_mapping;
  if (own == nullptr) return false;
  const bool has_slots = own->mp_subscript == usual->mp_subscript &&
                         (own->mp_ass_subscript == usual->mp_ass_subscript ||
                          own->mp_ass_subscript == ordered_type->tp_as_mapping->mp_ass_subscript);
  // Classes of the program have slots that look the methods up, and may find dict's.
  return has_slots || has_items_of_dict(Py_TYPE(object));
}

bool is_list(PyObject* object) {
  if (PyList_CheckExact(object)) return true;
  if (!PyList_Check(object)) return false;
  const PyMappingMethods* own = Py_TYPE(object)->tp_as_mapping;
  const PyMappingMethods* usual = PyList_Type.tp_as_mapping;
  return own != nullptr && own->mp_subscript == usual->mp_subscript &&
         own->mp_ass_subscript == usual->mp_ass_subscript;
}

bool has_items_of_deque(PyObject* object) {
  if (!is_deque(object)) return false;
  const PySequenceMethods* own = Py_TYPE(object)->tp_as_sequence;
  const PySequenceMethods* usual = deque_type->tp_as_sequence;
  return own->sq_item == usual->sq_item && own->sq_ass_item == usual->sq_ass_item;
}

bool adds_what_is_missing(PyObject* dict) { return PyObject_TypeCheck(dict, default_type) != 0; }

bool adds_what_can_change(PyObject* dict) {
  PyObject* factory = Py_TYPE(factory_member)->tp_descr_get(factory_member, dict, nullptr);
  if (factory == nullptr) PyErr_Clear();
  bool can_change = factory != nullptr;
  for (const PyTypeObject* type : {&PyLong_Type, &PyFloat_Type, &PyBool_Type, &PyUnicode_Type,
                                   &PyBytes_Type, &PyTuple_Type, &PyComplex_Type}) {
    if (factory == reinterpret_cast<const PyObject*>(type)) can_change = false;
  }
  Py_XDECREF(factory);
  return can_change;
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

ArrayPlace place_of(PyObject* array, Py_ssize_t index) {
  if (!PyMemoryView_Check(array)) return {array, static_cast<std::uint64_t>(index)};
  const Py_buffer* view = PyMemoryView_GET_BUFFER(array);
  PyObject* owner = view->obj != nullptr ? view->obj : array;
  const Py_ssize_t stride = view->ndim == 1 && view->strides != nullptr ? view->strides[0] : 0;
  // Memory of a class of the program is code.
  const bool is_code = (Py_TYPE(owner)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) == 0;
  if (owner == array || stride == 0 || is_code) return {array, static_cast<std::uint64_t>(index)};
  Py_buffer whole;
  if (PyObject_GetBuffer(owner, &whole, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    return {array, static_cast<std::uint64_t>(index)};
  }
  const Py_ssize_t first = static_cast<const char*>(view->buf) - static_cast<char*>(whole.buf);
  PyBuffer_Release(&whole);
  return {owner, static_cast<std::uint64_t>(first + index * stride)};
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

bool removes_as_dict(PyTypeObject* type) {
  if (type == &PyDict_Type) return true;
  PyObject* removes = own_or_inherited(type, delitem_name);
  return removes == own_or_inherited(&PyDict_Type, delitem_name) ||
         removes == own_or_inherited(ordered_type, delitem_name) || removes == counter_delitem;
}

int has_key(PyObject* container, PyObject* key) {
  if (!is_value(key)) return has_object(container, key);
  const int has =
      PyDict_Check(container) ? PyDict_Contains(container, key) : PySet_Contains(container, key);
  if (has < 0) PyErr_Clear();
  return has;
}

}  // namespace gilscope::races
