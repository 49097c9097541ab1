// Hooks for the creation of threads: who started them, and that they are there from their first
// instruction to their last.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace gilscope::hooks::threads {

// A thread that native code started: its id, that of the thread which started it, and the address
// of the function that it began with.
struct Started {
  pid_t tid;
  pid_t starter;
  std::uintptr_t routine;
};

int create_python(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument);
int create_native(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                  void* argument);

// Native threads that were started while a session ran, since the last call of this; of very many
// the first ones.
std::vector<Started> take_started();

}  // namespace gilscope::hooks::threads
