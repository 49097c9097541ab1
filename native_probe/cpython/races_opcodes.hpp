// The opcodes of the running interpreter, as far as the race detector tells them apart.
#pragma once

#include <array>
#include <cstdint>

#include "cpython/races_code.hpp"

namespace gilscope::races {

inline constexpr int kOpcodes = 256;
inline constexpr int kInPlace = 13;    // the first of BINARY_OP's operators that are x op= y
inline constexpr int kSubscript = 26;  // BINARY_OP's operator that is x[y], from 3.14 on

struct Opcodes {
  std::array<Action, kOpcodes> actions{};
  std::array<std::uint8_t, kOpcodes> caches{};
  std::array<bool, kOpcodes> jumps{};
  std::array<bool, kOpcodes> jumps_back{};
  std::array<bool, kOpcodes> ends_block{};
  std::array<bool, kOpcodes> stores_local{};
  std::array<bool, kOpcodes> calls{};
  std::array<bool, kOpcodes> copies_mapping{};
  int extended_arg = 0;
  int binary_op = -1;
  int load_attr = -1;
  int load_global = -1;
  int push_null = -1;
  int store_global = -1;
  int store_deref = -1;
  bool attr_has_flag = true;
};

// Filled by initialize_opcodes().
Opcodes& opcodes();

}  // namespace gilscope::races
