#include "hooks/races_capi.hpp"

#include <Python.h>

#include "cpython/races_variables.hpp"

namespace gilscope::races::capi {
namespace {

// What extensions do counts where the program called them: at the instruction of its innermost
// frame, if that is watched.
template <typename Body>
void in_event(const void* caller, Body body) {
  Session* session = Session::active();
  if (session == nullptr || !Session::has_threads()) return;
  const void* frame = gilscope_running_frame();
  gilscope_raw_frame raw{};
  if (frame == nullptr || gilscope_raw_stack(frame, &raw, 1) == 0) return;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) return;
  auto* code = const_cast<PyCodeObject*>(static_cast<const PyCodeObject*>(raw.code));
  const CodeTable* table = session->table_of(code);
  const long unit = gilscope_unit_of(frame);
  if (table == nullptr || unit < 0) return;
  Event event{*session, *thread, *table, static_cast<std::uint32_t>(unit), {}};
  event.operands.frame = frame;
  session->note_native(event.site(), caller);
  body(event);
}

void item(const void* caller, PyObject* container, PyObject* key, Op op) {
  if (container == nullptr || key == nullptr) return;
  in_event(caller, [=](Event& event) { touch_item(event, container, key, op); });
}

void attribute(const void* caller, PyObject* owner, PyObject* name, Op op) {
  if (owner == nullptr || name == nullptr || !PyUnicode_CheckExact(name)) return;
  in_event(caller,
           [=](Event& event) { touch_attribute(event, owner, name, hash_of_name(name), op); });
}

// A name that is given as text; nullptr: it is none, and what was raised before still is.
class Name {
 public:
  explicit Name(const char* text) : raised_(PyErr_GetRaisedException()) {
    name_ = Session::active() != nullptr && text != nullptr ? PyUnicode_FromString(text) : nullptr;
    if (name_ == nullptr) PyErr_Clear();
  }
  ~Name() {
    Py_XDECREF(name_);
    PyErr_SetRaisedException(raised_);
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  PyObject* get() const { return name_; }

 private:
  PyObject* raised_;
  PyObject* name_;
};

#define CALLER __builtin_return_address(0)

PyObject* object_get_item(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::read);
  return PyObject_GetItem(o, key);
}
int object_set_item(PyObject* o, PyObject* key, PyObject* value) {
  item(CALLER, o, key, Op::store);
  return PyObject_SetItem(o, key, value);
}
int object_del_item(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::remove);
  return PyObject_DelItem(o, key);
}
PyObject* dict_get_item(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::read);
  return PyDict_GetItem(o, key);
}
PyObject* dict_get_item_with_error(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::read);
  return PyDict_GetItemWithError(o, key);
}
int dict_get_item_ref(PyObject* o, PyObject* key, PyObject** result) {
  item(CALLER, o, key, Op::read);
  return PyDict_GetItemRef(o, key, result);
}
PyObject* dict_get_item_string(PyObject* o, const char* text) {
  {
    const Name name(text);
    item(CALLER, o, name.get(), Op::read);
  }
  return PyDict_GetItemString(o, text);
}
int dict_contains(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::read);
  return PyDict_Contains(o, key);
}
int dict_set_item(PyObject* o, PyObject* key, PyObject* value) {
  item(CALLER, o, key, Op::store);
  return PyDict_SetItem(o, key, value);
}
int dict_set_item_string(PyObject* o, const char* text, PyObject* value) {
  {
    const Name name(text);
    item(CALLER, o, name.get(), Op::store);
  }
  return PyDict_SetItemString(o, text, value);
}
int dict_del_item(PyObject* o, PyObject* key) {
  item(CALLER, o, key, Op::remove);
  return PyDict_DelItem(o, key);
}
PyObject* object_get_attr(PyObject* o, PyObject* name) {
  attribute(CALLER, o, name, Op::read);
  return PyObject_GetAttr(o, name);
}
PyObject* object_get_attr_string(PyObject* o, const char* text) {
  {
    const Name name(text);
    attribute(CALLER, o, name.get(), Op::read);
  }
  return PyObject_GetAttrString(o, text);
}
int object_set_attr(PyObject* o, PyObject* name, PyObject* value) {
  attribute(CALLER, o, name, value != nullptr ? Op::store : Op::remove);
  return PyObject_SetAttr(o, name, value);
}
int object_set_attr_string(PyObject* o, const char* text, PyObject* value) {
  {
    const Name name(text);
    attribute(CALLER, o, name.get(), value != nullptr ? Op::store : Op::remove);
  }
  return PyObject_SetAttrString(o, text, value);
}
int list_append(PyObject* list, PyObject* value) {
  if (list != nullptr && is_list(list)) {
    in_event(CALLER, [=](Event& event) { touch_structure(event, list, Op::add); });
  }
  return PyList_Append(list, value);
}

template <typename Replacement, typename Real>
Hook hook(std::string_view symbol, Replacement* replacement, Real* real) {
  return {symbol, reinterpret_cast<void*>(replacement), reinterpret_cast<void*>(real)};
}

}  // namespace

std::vector<Hook> hooks() {
  return {
      hook("PyObject_GetItem", object_get_item, PyObject_GetItem),
      hook("PyObject_SetItem", object_set_item, PyObject_SetItem),
      hook("PyObject_DelItem", object_del_item, PyObject_DelItem),
      hook("PyDict_GetItem", dict_get_item, PyDict_GetItem),
      hook("PyDict_GetItemWithError", dict_get_item_with_error, PyDict_GetItemWithError),
      hook("PyDict_GetItemRef", dict_get_item_ref, PyDict_GetItemRef),
      hook("PyDict_GetItemString", dict_get_item_string, PyDict_GetItemString),
      hook("PyDict_Contains", dict_contains, PyDict_Contains),
      hook("PyDict_SetItem", dict_set_item, PyDict_SetItem),
      hook("PyDict_SetItemString", dict_set_item_string, PyDict_SetItemString),
      hook("PyDict_DelItem", dict_del_item, PyDict_DelItem),
      hook("PyObject_GetAttr", object_get_attr, PyObject_GetAttr),
      hook("PyObject_GetAttrString", object_get_attr_string, PyObject_GetAttrString),
      hook("PyObject_SetAttr", object_set_attr, PyObject_SetAttr),
      hook("PyObject_SetAttrString", object_set_attr_string, PyObject_SetAttrString),
      hook("PyList_Append", list_append, PyList_Append),
  };
}

}  // namespace gilscope::races::capi
