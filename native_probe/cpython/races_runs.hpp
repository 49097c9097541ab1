// Runs of instructions between which no other thread can come in.
//
// Under the GIL threads change places where code is called, a loop begins anew, or native code
// gives the GIL up. What a run of instructions without any of that does to variables may as well be
// noted at its first instruction, at once: no other thread's access falls between. One event does
// for all, and the interpreter specializes the other instructions as ever.
//
// Whether an instruction calls code depends on its operands, so a run is played on the operands
// before it is executed. Where that cannot be told, it ends, from then on, and the instructions
// behind that have events of their own.
#pragma once

#include <Python.h>

#include <cstdint>
#include <vector>

#include "cpython/races_variables.hpp"

namespace gilscope::races {

struct Code;

enum class Move : std::uint8_t {
  push_local,
  push_two,
  push_constant,
  push_unknown,
  store_local,
  store_and_push,
  store_two,
  copy,
  swap,
  cell,
  load_attr,
  store_attr,
  load_item,
  store_item,
  compare,
  contains,
  is_same,
  calculate,
  truth,
  build,
  length,
};

struct Step {
  Move move = Move::push_unknown;
  bool is_access = false;
  std::uint8_t first = 0;  // numbers of variables, places or operators
  std::uint8_t second = 0;
  std::uint32_t unit = 0;
  PyObject* constant = nullptr;     // borrowed from the code object
  mutable std::uint32_t place = 0;  // of the attribute in its objects, see gilscope_instance_value
};

struct Run {
  std::vector<Step> steps;
  int low = 0;             // the least depth of the operand stack in it
  int depth = 0;           // that before it
  std::size_t length = 0;  // of the steps that are played
};

inline constexpr int kMostOperands = 16;  // of a run

// Finds the runs of a code object and marks its instructions.
void find_runs(const Code& code, CodeTable& table);

// Notes what a run is about to do; false if it had to be shortened.
bool play(Event& event, Run& run);

// Values of which nothing is known but their type; -1 with an exception set when it fails.
int initialize_runs();

}  // namespace gilscope::races
