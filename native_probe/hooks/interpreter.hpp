// The functions that the interpreter calls to take, wait for or release the GIL and its locks.
#pragma once

#include <vector>

#include "core/elf_image.hpp"
#include "core/got_patcher.hpp"
#include "core/session.hpp"

namespace gilscope::hooks {

// Functions of libc that are hooked in the interpreter's image.
std::vector<Hook> interpreter_hooks();
// Functions that are hooked in every other object.
std::vector<Hook> other_hooks();
// Functions that are hooked in every other object that is not part of the runtime of C and C++,
// when native locks are wanted.
std::vector<Hook> native_lock_hooks();
// Functions that are hooked in the objects whose calls mean the same when they come from the probe.
std::vector<Hook> loader_hooks(bool is_interpreter);

// Which classes of event are recorded; the self-test switches off what it could not prove.
struct Classes {
  bool gil = true;
  bool parked = true;  // all waits on semaphores
  bool object = true;
  bool thread_lock = true;
  bool native = true;  // locks of native code
  bool spin = true;
};
extern Classes classes;

// Once a process, without the GIL: the loader is asked. `lock_type`, `rlock_type`: threading's
// types; `module_lock`: code of the import system that waits for a module's lock.
void initialize(const ElfImage& interpreter, std::uintptr_t lock_type, std::uintptr_t rlock_type,
                std::uintptr_t module_lock);

// Whether a forced release can be told from a voluntary one.
bool tells_forced_releases();

// Before hooks are installed.
void find_gils();

// In a forked child.
void after_fork_in_child();

// Before a session becomes active: the calling thread holds the GIL, if it is switched on.
void begin_session(Session& session, bool gil_enabled);
// After it has ended.
void end_session();

}  // namespace gilscope::hooks
