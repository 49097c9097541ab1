// Hooks for what orders threads in native code: pthread_create and pthread_join, mutexes and
// read-write locks, uncontended ones too.
#pragma once

#include <cstddef>

namespace gilscope::races::native {

// Returns the number of slots changed in the interpreter itself; 0: threads that Python starts
// cannot be followed.
std::size_t install();
// Returns the number of slots that could not be put back.
std::size_t remove();

}  // namespace gilscope::races::native
