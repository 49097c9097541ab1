// Methods of built-in types whose calls are seen: they are replaced in their definitions, which
// specialised calls and bound methods read as well.
#pragma once

#include <Python.h>

#include <cstdint>

namespace gilscope::order::methods {

enum class Role : std::uint8_t {
  acquire,
  enter,  // as acquire, without arguments
  release,
  release_all,
  acquire_again,
  put,  // of a queue without bounds
  get,
  renew,  // in a forked child
};

// What a type makes: threading.Lock, threading.RLock, locks that processes share.
enum class Locks : std::uint8_t { plain, reentrant, of_processes };

// Sees calls of a type's method; -1 with an exception.
int replace(PyTypeObject* type, const char* name, Role role);
// Sees the making and the end of a type's objects, which are locks.
int replace_life(PyTypeObject* type, Locks locks);
// Sees what a function makes: locks.
int replace_maker(PyObject* function);
void restore_all();

}  // namespace gilscope::order::methods
