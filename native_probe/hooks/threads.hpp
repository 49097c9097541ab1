// Hooks for the creation of threads: who started them, and that they are there from their first
// instruction to their last.
#pragma once

#include <pthread.h>

namespace gilscope::hooks::threads {

int create_python(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument);
int create_native(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument);

}  // namespace gilscope::hooks::threads
