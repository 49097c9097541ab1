// Native code on the calling thread's stack: which frames there are and in which objects they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/elf_image.hpp"
#include "core/loaded_objects.hpp"
#include "core/session.hpp"

namespace gilscope::native_stack {

// The most frames that anyone asks for.
inline constexpr std::size_t kMaxFrames = 48;

// Once a process. `host`: the image that runs the program, whose own frames are no native code of
// the program's. `boundaries`: functions in it that run the program's (not native) code, so that
// whatever native code lies beyond them has not called what is going on now.
void initialize(const ElfImage& host, std::vector<CodeRange> boundaries);

// The loaded objects by address, as walks need them.
struct Table;
std::shared_ptr<Table> make_table(std::shared_ptr<const LoadedObjects> objects);

// Has walks look there from now on: before a session becomes active and whenever objects were
// loaded during it. Takes no memory. One thread at a time, as for withdraw().
void publish(std::shared_ptr<Table> fresh);
// The session is over: what was published is no longer used by walks that begin now.
std::shared_ptr<Table> withdraw();
// No thread is inside a hook: what was withdrawn goes, and objects may be unloaded again. Takes the
// loader's lock.
void forget(std::shared_ptr<Table> last);

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

// The position of a thread in its code.
struct Registers {
  std::uintptr_t pc = 0;
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t frame_pointer = 0;  // 0 unknown
};

// The result for a thread that does not run at the moment.
struct Stopped {
  enum class Innermost : std::uint8_t {
    unknown,  // code that belongs to no object
    loop,     // the interpreter runs the program's own code: no native code
    host,     // native code of the interpreter
    foreign,  // other native code
  };
  std::size_t count = 0;
  Innermost innermost = Innermost::unknown;
};

// The frames of a thread that is at these registers and does not run: the calling one, interrupted
// by a signal, or another one that sleeps. The first address is that of the next instruction and
// one more, the others are return addresses: in whatever objects they lie, up to where the
// interpreter's loop called native code, at most `capacity`. Reads by way of the kernel, so it can
// be done even if the thread may run again; what was found then is not to be used.
Stopped capture_at(const Registers& registers, const void** addresses, std::size_t capacity);

// Whether a walk from `frame` would be the one that left this trail. Some ten nanoseconds.
bool is_same_walk(const Trail& trail, std::uint64_t session, const void* frame);

// The loaded object that a return address lies in, for as long as the table that was published is;
// nulls where there is none.
struct Object {
  const std::string* path = nullptr;
  const std::string* build_id = nullptr;
  std::uintptr_t base = 0;
};
Object object_of(const void* address);
// Whether that object is the program's own: not the host, the C library or the probe.
bool is_programs(const void* address);

// The SITE definition of a return address; 0 when there is no room for it.
std::uint32_t site(Session& session, const void* address);

// The MODULE definition of the object that the loader put there; 0 when there is none or no room.
std::uint32_t module_with_base(Session& session, std::uintptr_t base);

}  // namespace gilscope::native_stack
