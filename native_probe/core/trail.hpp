// The words that a walk up the stack read, so that the next walk from there can be skipped.
#pragma once

#include <cstdint>

namespace gilscope {

// The words of the stack on which a walk depended: return addresses, and the frame pointers that
// some frame was found by. A walk is nothing but rules, which belong to return addresses, applied
// to such words; so where the same words stand in the same places, it ends the same way.
struct Trail {
  static constexpr std::uint32_t kWords = 24;
  struct Word {
    std::uint32_t offset;  // bytes from the hook's frame
    std::uint32_t reserved;
    std::uintptr_t value;
  };

  std::uint64_t session;  // 0: nothing is remembered
  std::uintptr_t frame;
  std::uint32_t count;
  std::uint32_t result;  // what the walk was made for: an ENTRY
  Word words[kWords];
};

}  // namespace gilscope
