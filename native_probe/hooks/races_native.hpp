// Hooks for what orders threads in native code: pthread_create and pthread_join, mutexes and
// read-write locks, uncontended ones too.
#pragma once

#include <cstddef>

namespace gilscope::races {
class Session;
}

namespace gilscope::races::native {

// Both ask the loader: without the GIL. False: threads that Python starts cannot be followed.
bool install(const Session& session);
// Returns the number of slots that could not be put back.
std::size_t remove();
void after_fork_in_child();

}  // namespace gilscope::races::native
