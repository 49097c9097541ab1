// Which loaded objects have hooks, and when: the slots of all objects, now and as they are loaded.
//
// One lock, `patching`, is held while slots are written and while what is known of the objects is
// replaced, and for nothing else: under it nobody calls the loader, takes or frees memory, or waits
// for anything. So it can be taken in the handlers of fork() and with the GIL. What takes long, and
// what takes the loader's lock (whose holder may run a constructor of the program, which may want
// anything), is done before or after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/elf_image.hpp"
#include "core/got_patcher.hpp"
#include "core/session.hpp"

namespace gilscope::hooks::installation {

// Once a process. `interpreter`: the object whose calls of libc are the GIL's and the locks'.
void initialize(const ElfImage& interpreter);

// Hooks for the interpreter alone, as the self-test needs them. Returns how many slots.
std::size_t install_interpreter();

// Hooks for all objects, those included that are loaded from now on. Without the GIL: it takes the
// loader's lock.
void install(bool native_locks);

// Puts all slots back, and patches no object from now on; what is known of the objects stays, and
// they stay loaded. Returns the number of slots that could not be restored.
std::size_t remove();

// No thread is inside a hook any more: objects may be unloaded again. Without the GIL.
void release();
// Instead, where a thread may be inside a hook for long.
void keep_for_ever();

// `interpreters` in the interpreter and `others` in all other objects, from now on to the end of
// the process, and nothing else: no session is to come. Without the GIL: it takes the loader's
// lock.
void install_last(const std::vector<Hook>& interpreters, const std::vector<Hook>& others);
// The code of one of the interpreter's functions.
CodeRange function_of_interpreter(std::string_view name);

// Whether any slot was patched.
bool has_hooks();
// Slots that are on pages that cannot be made writable.
std::size_t failed();

// Around a call of the loader that has a hook: objects that were loaded get hooks.
void before_load();
void after_load(void* handle);

// The same for objects that were loaded by a call without one: through a pointer to dlopen(), or
// from an object with a search path of its own. Asks the loader: not for hooks, which notice() is.
void look_unseen();
// In a hook of the GIL: has that done now and then, by a thread of its own where there are threads.
// Never asks the loader itself: a thread that has its lock, as in a callback of dl_iterate_phdr(),
// may wait for the GIL, whose mutex the caller has.
void notice();

// Around a fork of the interpreter's, which counts the threads of the process and warns of them:
// notice() makes none meanwhile, and the first waits until the last one is gone, if it soon is and
// the program has no other threads. Without locks of ours.
void before_python_forks();
void after_python_forked_in_parent();
// Which ones those were since install(), and when they got their hooks.
struct Late {
  std::string path;
  std::uint64_t ticks;
};
std::list<Late> late();

// The handlers of fork(). In a child all slots are put back; the first install() there takes what
// its parent knew of the objects and does not ask the loader, which another thread may have been
// using.
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

// (function, object, slots that name it), for all hooks that could be installed now.
std::vector<std::tuple<std::string, std::string, std::size_t>> report();

}  // namespace gilscope::hooks::installation
