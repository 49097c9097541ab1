// Hooks for semaphores, in which every thread sleeps that waits for a lock of the interpreter.
#pragma once

#include <semaphore.h>
#include <time.h>

namespace gilscope::hooks::locks {

int init(sem_t* semaphore, int shared, unsigned value);
int wait(sem_t* semaphore);
int timedwait(sem_t* semaphore, const timespec* until);
int clockwait(sem_t* semaphore, clockid_t clock, const timespec* until);
int post(sem_t* semaphore);

}  // namespace gilscope::hooks::locks
