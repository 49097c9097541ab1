// Native code on the calling thread's stack: which frames there are and in which objects they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/elf_image.hpp"
#include "core/session.hpp"

namespace gilscope::native_stack {

// The most frames that anyone asks for.
inline constexpr std::size_t kMaxFrames = 48;

// Once a process. `host`: the image that runs the program, whose own frames are no native code of
// the program's. `boundaries`: functions in it that run the program's (not native) code, so that
// whatever native code lies beyond them has not called what is going on now.
void initialize(const ElfImage& host, std::vector<CodeRange> boundaries);

// Brings the table of loaded objects up to date and keeps them loaded: before a session becomes
// active and whenever objects were loaded during it. One thread at a time.
void refresh();
// The session is over and no thread is inside a hook: objects may be unloaded again.
void release();

// Return addresses into objects that are neither the interpreter nor the C library nor the probe,
// the innermost first, from `frame` (a hook's frame address) up to where the interpreter called
// native code. At most `capacity`; returns how many. Nothing that is not proved to be a frame.
// With a `trail`, remembers there what the walk depended on; its `count` is 0 when that was too
// much.
std::size_t capture(const void* frame, const void** addresses, std::size_t capacity,
                    Trail* trail = nullptr);

// All return addresses, in whatever object, from who called the hook with this frame address on, as
// far as each is proved to be one: through the host alone. At most `capacity`; returns how many.
std::size_t callers(const void* frame, const void** addresses, std::size_t capacity);

// Whether a walk from `frame` would be the one that left this trail. Some ten nanoseconds.
bool is_same_walk(const Trail& trail, std::uint64_t session, const void* frame);

// The SITE definition of a return address; 0 when there is no room for it.
std::uint32_t site(Session& session, const void* address);

// The MODULE definition of the object that the loader put there; 0 when there is none or no room.
std::uint32_t module_with_base(Session& session, std::uintptr_t base);

// A loaded object as the table knows it.
struct Object {
  std::string path;
  std::uintptr_t base;
  std::string build_id;  // bytes of the NT_GNU_BUILD_ID note
};
// All objects of the table; not while another thread may refresh() it.
std::vector<Object> objects();

}  // namespace gilscope::native_stack
