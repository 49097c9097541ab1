#include "cpython/stack.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "core/native_stack.hpp"
#include "cpython/frames.h"
#include "cpython/own_state.hpp"

namespace gilscope::stack {
namespace {

constexpr std::size_t kFrames = 128;
constexpr std::size_t kNativeFrames = 32;
constexpr std::size_t kText = 1024;  // bytes of a name that are kept

// A definition of a stack, in the layout of the file.
using Frames = format::Stack<kFrames>;

struct Native {
  std::array<const void*, kNativeFrames> addresses;
  std::size_t count = 0;
};

std::uint32_t string(Session& session, const void* text) {
  char buffer[kText];
  std::size_t length = 0;
  const char* bytes = gilscope_text(text, buffer, sizeof buffer, &length);
  return session.string({bytes, length});
}

// The name of a function's module can be replaced while this thread looks at it.
std::uint32_t module_name(Session& session, const void* text) {
  char buffer[256];
  const std::size_t length =
      gilscope_copy_text(reinterpret_cast<std::uintptr_t>(text), buffer, sizeof buffer);
  return session.string({buffer, length});
}

std::uint32_t define_code(Session& session, IdTable::Found found, const gilscope_place& place) {
  if (!found.is_new) return found.id;
  const format::CodeBody body{found.id,
                              place.first_line,
                              string(session, place.file),
                              string(session, place.name),
                              module_name(session, place.module),
                              0};
  session.file().define(body);
  return found.id;
}

// Where the end of a code object is unknown, its contents are its identity.
std::uint64_t hash_of_text(Session& session, const gilscope_place& place) {
  const std::uint64_t file = string(session, place.file);
  const std::uint64_t name = string(session, place.name);
  return mix(mix(file << 32 | name) ^ place.first_line);
}

std::uint32_t code(Session& session, const void* frame, const gilscope_place& place, bool watched) {
  const std::uint64_t key = watched ? mix(gilscope_hash_code(frame)) : hash_of_text(session, place);
  return define_code(session, session.definitions().codes.find(key), place);
}

__attribute__((noinline)) void read(Session& session, const Native& native, const void* frame,
                                    bool watched, Frames& frames) {
  for (std::size_t i = 0; i < native.count; ++i) {
    const std::uint32_t site = native_stack::site(session, native.addresses[i]);
    if (site != 0) frames.add_site(site);
  }
  for (; frame != nullptr && !frames.full(); frame = gilscope_calling_frame(frame)) {
    gilscope_place place;
    if (gilscope_place_of(frame, &place) == 0) continue;
    frames.add(code(session, frame, place, watched), place.line);
  }
}

void write(Session& session, Frames& frames, std::uint32_t id) {
  frames.head.id = id;
  session.file().define(frames);
}

__attribute__((noinline)) void define(Session& session, const Native& native, const void* frame,
                                      std::uint32_t id) {
  Frames frames;
  read(session, native, frame, true, frames);
  write(session, frames, id);
}

std::uint32_t find_by_text(Session& session, Frames& frames) {
  std::uint64_t key = frames.head.count;
  for (std::uint32_t i = 0; i < frames.head.count; ++i) {
    key = mix(key ^ (std::uint64_t{frames.frames[i].what} << 32 | frames.frames[i].line));
  }
  const IdTable::Found found = session.definitions().stacks.find(key);
  if (found.is_new) write(session, frames, found.id);
  return found.id;
}

__attribute__((noinline)) std::uint32_t capture_by_text(Session& session, const Native& native,
                                                        const void* frame) {
  Frames frames;
  read(session, native, frame, false, frames);
  return find_by_text(session, frames);
}

std::uint32_t copied_code(Session& session, const gilscope_copied_frame& frame) {
  const std::uint32_t file = session.string({frame.file, frame.file_length});
  const std::uint32_t name = session.string({frame.name, frame.name_length});
  const std::uint64_t key = mix(mix(std::uint64_t{file} << 32 | name) ^ frame.first_line);
  const IdTable::Found found = session.definitions().codes.find(key);
  if (!found.is_new) return found.id;
  const std::uint32_t module = session.string({frame.module, frame.module_length});
  const format::CodeBody body{found.id, frame.first_line, file, name, module, 0};
  session.file().define(body);
  return found.id;
}

std::uint32_t capture_with(Recording& recording, const Native& native) {
  const OwnState own;
  int watched = 1;
  const void* python = gilscope_innermost_frame(&watched);
  if (native.count == 0 && python == nullptr) return 0;
  Session& session = recording.session();
  if (watched == 0) return capture_by_text(session, native, python);
  std::uint64_t key = native.count;
  for (std::size_t i = 0; i < native.count; ++i) {
    key = mix(key ^ reinterpret_cast<std::uintptr_t>(native.addresses[i]));
  }
  key = gilscope_hash_frames(python, kFrames - native.count, key);
  const IdTable::Found found = session.definitions().stacks.find(key);
  if (found.is_new) define(session, native, python, found.id);
  return found.id;
}

}  // namespace

std::uint32_t capture(Recording& recording, const void* frame) {
  Native native;
  native.count = native_stack::capture(frame, native.addresses.data(), kNativeFrames);
  return capture_with(recording, native);
}

std::uint32_t capture_behind(Recording& recording, const void* const* native, std::size_t count) {
  Native copy;
  copy.count = std::min(count, kNativeFrames);
  std::copy_n(native, copy.count, copy.addresses.begin());
  return capture_with(recording, copy);
}

std::uint32_t define_copied(Session& session, const void* const* native, std::size_t count,
                            const gilscope_frame_copies& copies) {
  Frames frames;
  for (std::size_t i = 0; i < std::min(count, kNativeFrames); ++i) {
    const std::uint32_t site = native_stack::site(session, native[i]);
    if (site != 0) frames.add_site(site);
  }
  for (std::size_t i = 0; i < copies.count && !frames.full(); ++i) {
    frames.add(copied_code(session, copies.frames[i]), copies.frames[i].line);
  }
  return find_by_text(session, frames);
}

}  // namespace gilscope::stack
