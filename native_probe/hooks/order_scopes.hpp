// Locks that a thread has while something runs: the dynamic loader's, those of C++ statics that are
// being initialised, those of pthread_once() and std::call_once(), critical sections of objects.
#pragma once

#include <vector>

#include "core/got_patcher.hpp"

namespace gilscope::order::native {

// Of objects other than the interpreter and the language's run-time libraries.
std::vector<Hook> initialisation_hooks();
// Of all objects.
std::vector<Hook> loader_hooks();
// Critical sections of objects, where there are some: without the GIL.
std::vector<Hook> section_hooks();
// Of the interpreter and of _ctypes, which calls functions of other objects by their address.
Hook lookup_hook();

// Around a call of dlopen() by whoever returns to `at`.
class Loading {
 public:
  explicit Loading(const void* at);
  ~Loading();
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;
};

}  // namespace gilscope::order::native
