// What methods and functions of C do to containers and attributes: the tables.
#pragma once

#include <Python.h>

#include <cstdint>

namespace gilscope::races {

// What a method does to its container, or a function to its first argument.
enum class Effect : std::uint8_t {
  none,
  read,         // its structure
  read_all,     // and its items, in one step
  read_values,  // the same of a dict
  add,
  remove,
  change,
  get_key,
  pop_key,
  set_default,
  update,
  add_member,
  remove_member,
  iterate,  // step by step, while others run
  advance,  // an iterator
  get_attribute,
  set_attribute,
  delete_attribute,
  begin,  // makes an iterator
  look_at_dict,
  count,  // adds to the number of each
  contains,
  get_item,
  set_item,
  delete_item,
};

// Of a method or a function, of a class that is called, and of the method behind an operator, as
// "__setitem__" of dict; Effect::none where nothing is known.
Effect effect_of(const PyMethodDef* method);
Effect effect_of(const PyTypeObject* type);
Effect effect_of_slot(const char* name);

// A method of an operator that is bound to its object: d.__setitem__.
bool is_bound_slot(PyObject* callable);

// Fills the tables; -1 with an exception set where that fails.
int initialize_effects();

}  // namespace gilscope::races
