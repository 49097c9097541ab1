// What kind of container an object is, asked without a call of the program's code.
#pragma once

#include <Python.h>

#include <cstdint>

namespace gilscope::races {

// dict, list, set or deque, and none of their classes that do it in a way of their own.
bool is_dict(PyObject* object);
bool is_list(PyObject* object);
bool is_set(PyObject* object);
bool is_deque(PyObject* object);
// A deque whose items are read and stored by their places as those of a list.
bool has_items_of_deque(PyObject* object);
// A dict to which d[key] adds the key when it is not there: defaultdict.
bool adds_what_is_missing(PyObject* dict);
// What such a dict adds can be changed afterwards, as a list can.
bool adds_what_can_change(PyObject* dict);
// A bytearray, array.array, memoryview or another object of C whose items can be set in its memory.
bool is_array(PyObject* object);
inline bool is_container(PyObject* object) {
  return is_dict(object) || is_list(object) || is_set(object) || is_deque(object) ||
         is_array(object);
}
// The same, or one of their classes that does it in a way of its own.
inline bool has_storage_of_container(PyObject* object) {
  return PyDict_Check(object) || PyList_Check(object) || is_container(object);
}
// Where an item of an array is: the object that owns the memory, and the place in it. Two views of
// one bytearray share its items.
struct ArrayPlace {
  PyObject* owner;
  std::uint64_t key;
};
ArrayPlace place_of(PyObject* array, Py_ssize_t index);

// Its += changes the object itself.
bool changes_in_place(PyObject* object);

// Whether taking it out of a container makes it the taker's alone: what can be changed, no values.
bool can_be_owned(PyObject* object);
// Whether a deque has a greatest length.
bool has_most(PyObject* container);

// 1 when the container has this key or member, 0 when not, -1 when that cannot be told without
// calling the program's code.
int has_key(PyObject* container, PyObject* key);
// Whether keys like this one are equal where their values are, and none of the program's code runs
// to tell: exact str, int, bytes, float and tuples of those.
bool is_value(PyObject* key, int nesting = 0);
// Whether `del` of an item of this class runs no code of the program.
bool removes_as_dict(PyTypeObject* type);

int initialize_containers();

}  // namespace gilscope::races
