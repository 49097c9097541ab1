// Stands in for methods of built-in types by which threads wait for each other: their definitions
// are changed, so that calls by any way are seen, and put back.
#pragma once

#include <Python.h>

#include <cstdint>

namespace gilscope::races::methods {

// `acquire_again` is the other half of `release_all`. `give_item` gives its first argument, and
// `take_item` takes what it returns; `own` takes likewise what was put in by an instruction.
enum class Role : std::uint8_t {
  acquire,
  acquire_again,
  release,
  release_all,
  give,
  take,
  give_item,
  take_item,
  own,
};

// The method `name` of the type has this role from now on. An exception is set when it is -1.
int replace(PyTypeObject* type, const char* name, Role role);
void restore_all();

}  // namespace gilscope::races::methods
