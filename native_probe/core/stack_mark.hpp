// A mark on the stack that shows whether the function that left it is still running.
#pragma once

#include <cstdint>

namespace gilscope {

// A hook may be left by siglongjmp(), which runs no destructors. So whatever a thread remembers to
// be under way stands for this mark in the frame of the function that does it: while that frame is
// there, nothing else writes to it, whichever stack it is on; when it is gone, the next calls do.
class StackMark {
 public:
  StackMark() : word_(address() ^ kSalt) {}
  StackMark(const StackMark&) = delete;
  StackMark& operator=(const StackMark&) = delete;

  std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(this); }

  // Whether the function of this thread that left the mark at `other` was left without its end.
  bool outlives(std::uintptr_t other) const;

  // Whether there is no mark at `other` any more; "no" as long as that is not certain. errno stays.
  static bool is_gone(std::uintptr_t other);

  // The mark of something without an end.
  static constexpr std::uintptr_t kForEver = UINTPTR_MAX;

 private:
  static constexpr std::uintptr_t kSalt = 0x9E3779B97F4A7C15u;
  volatile std::uintptr_t word_;
};

}  // namespace gilscope
