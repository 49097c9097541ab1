// A code object's instructions with the depth of the operand stack before each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpython/races_opcodes.hpp"

namespace gilscope::races {

// An instruction as it stands in the code.
struct Raw {
  int opcode = -1;  // -1: a cache
  int arg = 0;
  std::size_t begin = 0;  // where its EXTENDED_ARGs begin
};

struct Code {
  std::vector<Raw> raw;             // by unit; EXTENDED_ARGs have their own
  std::vector<std::int32_t> depth;  // -1: not reached
  std::vector<bool> is_target;      // of a jump or an exception
};

inline std::size_t next_of(const Code& code, std::size_t unit) {
  ++unit;
  while (unit < code.raw.size() && code.raw[unit].opcode == -1) ++unit;
  return unit;
}

}  // namespace gilscope::races
