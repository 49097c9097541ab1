// What of a code object's instructions the race detector wants to see, and where their operands
// are.
#pragma once

#include <Python.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/races/clocks.hpp"

namespace gilscope::races {

enum class Action : std::uint8_t {
  none,
  load_attr,
  store_attr,
  delete_attr,
  load_global,
  store_global,
  delete_global,
  load_name,
  store_name,
  delete_name,
  load_subscr,
  store_subscr,
  delete_subscr,
  load_slice,
  store_slice,
  contains,
  to_bool,
  get_iter,
  for_iter,
  load_deref,
  store_deref,
  call,
  call_kw,
  in_place,
  unpack,  // reads all items, and may copy them
  enter,   // begins a `with` statement
};

// One instruction. Caches of instructions have places too, without an action.
struct Instruction {
  Action action = Action::none;
  bool is_in_place = false;  // stores the result of x += y
  bool is_method = false;    // loads an attribute in order to call it
  bool is_mapping = false;   // copies keys and values
  std::uint8_t step = 0;     // in its run
  std::uint16_t run = 0;     // number of the run that it is in, from 1 on; 0: none
  std::uint16_t depth = 0;   // of the operand stack before it
  std::uint16_t arg = 0;     // number of arguments, or of a variable
  PyObject* name = nullptr;  // borrowed from the code object
  Key hash = 0;              // of the name
  // The version of the type whose attribute was looked up last, and what came of it, see
  // races_variables.cpp; read and written as one.
  std::uint64_t looked_up = 0;
};

struct Run;

struct CodeTable {
  CodeTable();
  ~CodeTable();
  CodeTable(const CodeTable&) = delete;
  CodeTable& operator=(const CodeTable&) = delete;

  PyCodeObject* code = nullptr;
  std::uint32_t first_site = 0;  // number of its first instruction among all of the session
  std::uint32_t session = 0;
  mutable std::vector<Instruction> instructions;
  std::vector<Run> runs;
};

// Looks up the numbers of the opcodes; -1 with an exception set where that fails.
int initialize_opcodes();

// An exception is set when it is empty. `all_steps`: each step of every loop, also of one whose
// body calls nothing. `with_runs`: see races_runs.hpp.
std::unique_ptr<CodeTable> analyze(PyCodeObject* code, bool all_steps, bool with_runs);

// Names that functions of the program store as `global` or `nonlocal`; from `code` on, all those
// that are nested in it.
int note_stored_names(PyCodeObject* code);
bool is_stored_global(Key name_hash);
bool is_stored_nonlocal(Key name_hash);

// Whether a method or a function of this name may do something to a container.
bool is_container_call(std::string_view name);

Key hash_of_name(PyObject* name);

}  // namespace gilscope::races
