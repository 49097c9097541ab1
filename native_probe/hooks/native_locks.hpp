// Hooks for the locks of native code: pthread mutexes, read-write locks and condition variables,
// and so std::mutex, std::shared_mutex and std::condition_variable.
#pragma once

#include <pthread.h>

#include <vector>

#include "core/got_patcher.hpp"
#include "core/session.hpp"

namespace gilscope::hooks::native_locks {

// What is hooked in every object but the interpreter and the runtime libraries.
std::vector<Hook> hooks();

// For the self-test, which calls it as an extension would.
int mutex_lock(pthread_mutex_t* mutex);

}  // namespace gilscope::hooks::native_locks
