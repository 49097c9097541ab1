// Hooks for the functions by which native code enters and leaves Python.
#pragma once

#include <vector>

#include "core/got_patcher.hpp"
#include "core/session.hpp"

namespace gilscope::hooks::callbacks {

// Once a process. Asks the loader.
void initialize();

// For every object but the interpreter.
std::vector<Hook> hooks();

// A call of a Python object by native code: the object itself, or the name of a method.
struct Call {
  void* object;
  void* self;
  const char* text;
  void* name;
};
// `frame`: a hook's frame address.
void called(const Call& call, const void* frame);

}  // namespace gilscope::hooks::callbacks
