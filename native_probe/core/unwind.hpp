// The rule of an object's unwinding tables (.eh_frame) for one return address.
#pragma once

#include <cstdint>

namespace gilscope::unwind {

// From a frame to its caller, the same for every visit of one return address: the tables depend on
// the code alone. Only what compilers emit for ordinary functions; all else is `none`.
struct Rule {
  enum class Base : std::uint8_t {
    none,              // the tables do not say, or it is the thread's first frame
    stack_pointer,     // CFA = stack pointer + offset
    frame_pointer,     // CFA = frame pointer + offset
    at_frame_pointer,  // CFA = what stands at frame pointer + offset (a realigned stack)
  };
  enum class Saved : std::uint8_t {
    not_saved,         // the caller's frame pointer is still in its register
    at_cfa,            // it stands at CFA + saved_offset
    at_frame_pointer,  // it stands at frame pointer + saved_offset
    lost,              // the rest cannot be followed by the frame pointer
  };
  std::int32_t cfa_offset = 0;    // bytes
  std::int16_t saved_offset = 0;  // bytes
  Base base = Base::none;
  Saved saved = Saved::lost;
};
static_assert(sizeof(Rule) == 8);

// An object's tables: its .eh_frame_hdr, and the segment that it lies in, of which all is readable.
// Linkers put .eh_frame into the same segment.
struct Tables {
  const void* header = nullptr;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

// The rule for the return address `pc`. Reads nothing but the tables' segment, whatever stands in
// it; no lock, no allocation. x86-64 only; elsewhere there are no rules.
Rule find_rule(const Tables& tables, std::uintptr_t pc);

}  // namespace gilscope::unwind
