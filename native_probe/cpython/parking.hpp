// Finds what a thread waits for that sleeps on a semaphore of the interpreter.
#pragma once

#include <semaphore.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/elf_image.hpp"
#include "core/format.hpp"
#include "core/lock_definition.hpp"

namespace gilscope::parking {

struct Waited : LockIdentity {
  const int* handed_off = nullptr;  // valid until the waiting function returns
};

// Once a process. `lock_type` and `rlock_type` are the types of threading.Lock and threading.RLock;
// `module_lock` is the code in which a thread waits for another one to import a module, 0 unknown.
void initialize(const ElfImage& interpreter, std::uintptr_t lock_type, std::uintptr_t rlock_type,
                std::uintptr_t module_lock);

// The self-test has the calling thread join another one: the next wait shows what that looks like.
void learn_join();
// Whether it was seen, so that such waits can be told from other ones.
bool knows_join();

// Who calls the parking lot in a thread that joins another one: return addresses, the innermost
// first, as distances from the beginning of the interpreter's image.
using JoinStack = std::vector<std::uintptr_t>;

// Empty when it was not seen, or leads through other objects.
JoinStack learnt_join_stack(const ElfImage& interpreter);
// What another process of this interpreter has learnt; false when it cannot be true here.
bool adopt_join_stack(const ElfImage& interpreter, const JoinStack& stack);

// Whether the semaphore lies in the frames right above `frame`: then it is the parking lot's.
bool on_own_stack(const sem_t* semaphore, const char* frame);

// Whether a sem_post that returns to `caller` wakes up a thread in the parking lot.
bool is_wakeup(const void* caller);

// What the PyMutex at `address` belongs to; the calling thread waits for it, in the slow path.
LockIdentity mutex_at(std::uintptr_t address);

// For a call of sem_wait that returns to `caller`; `frame` is the frame address of the hook.
Waited classify(const sem_t* semaphore, const void* caller, const char* frame);

}  // namespace gilscope::parking
