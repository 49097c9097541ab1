// The GIL hooks, called for libc functions with an argument that may belong to a GIL.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "core/elf_image.hpp"
#include "core/session.hpp"

namespace gilscope::hooks::gil {

void initialize(const ElfImage& interpreter);
bool tells_forced_releases();
void find_gils();
void begin_session(Session& session, bool enabled);
void end_session();
// Whether a thread that sleeps on the word at this address (futex) waits for the main interpreter's
// GIL.
bool is_waited_for_at(std::uintptr_t address);
// In a forked child: no other thread adds a GIL there.
void after_fork_in_child();

int mutex_lock(pthread_mutex_t* mutex);
int cond_signal(pthread_cond_t* cond);
int cond_init(pthread_cond_t* cond, const pthread_condattr_t* attributes);
int cond_destroy(pthread_cond_t* cond);
int cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex);
int cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex, const timespec* until);

}  // namespace gilscope::hooks::gil
