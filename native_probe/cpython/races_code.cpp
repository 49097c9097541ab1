#include "cpython/races_code.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_set>

#include "cpython/races_decoded.hpp"
#include "cpython/races_runs.hpp"

namespace gilscope::races {
namespace {

std::mutex names_mutex;
std::unordered_set<Key> stored_globals;
std::unordered_set<Key> stored_nonlocals;

Code decode(const unsigned char* bytes, std::size_t units) {
  Code code;
  code.raw.resize(units);
  code.depth.assign(units, -1);
  code.is_target.assign(units, false);
  int extended = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < units; ++i) {
    const int opcode = bytes[2 * i];
    Raw& raw = code.raw[i];
    raw.opcode = opcode;
    raw.arg = extended << 8 | bytes[2 * i + 1];
    if (extended == 0) begin = i;
    raw.begin = begin;
    extended = opcode == opcodes().extended_arg ? raw.arg : 0;
    if (opcode == opcodes().extended_arg) continue;
    for (int cache = opcodes().caches[opcode]; cache > 0 && i + 1 < units; --cache) {
      code.raw[++i].opcode = -1;
    }
    begin = i + 1;
  }
  return code;
}

std::size_t target_of(const Code& code, std::size_t unit) {
  const Raw& raw = code.raw[unit];
  const std::size_t after = unit + 1 + opcodes().caches[raw.opcode];
  const auto distance = static_cast<std::size_t>(raw.arg);
  return opcodes().jumps_back[raw.opcode] ? after - distance : after + distance;
}

struct Entry {
  std::size_t unit;
  int depth;
};

// The format is described in Objects/exception_handling_notes.txt (InternalDocs from 3.14 on).
std::vector<Entry> handlers_of(const unsigned char* table, Py_ssize_t size) {
  std::vector<Entry> handlers;
  const unsigned char* at = table;
  const unsigned char* end = table + size;
  auto number = [&at, end] {
    std::size_t value = *at & 63;
    while ((*at & 64) != 0 && at + 1 < end) value = value << 6 | (*++at & 63);
    ++at;
    return value;
  };
  while (at < end) {
    number();  // where it begins
    if (at < end) number();
    const std::size_t target = at < end ? number() : 0;
    const std::size_t depth_and_lasti = at < end ? number() : 0;
    handlers.push_back({target, static_cast<int>(depth_and_lasti >> 1) + 1 +
                                    static_cast<int>(depth_and_lasti & 1)});
  }
  return handlers;
}

// The depth of the operand stack before every instruction that can be reached.
void find_depths(Code& code, std::vector<Entry> work) {
  for (const Entry& entry : work) {
    if (entry.unit < code.raw.size()) code.is_target[entry.unit] = true;
  }
  work.push_back({0, 0});
  while (!work.empty()) {
    auto [unit, depth] = work.back();
    work.pop_back();
    while (unit < code.raw.size() && code.depth[unit] < 0 && code.raw[unit].opcode >= 0) {
      code.depth[unit] = depth;
      const Raw& raw = code.raw[unit];
      if (opcodes().jumps[raw.opcode]) {
        const int effect = PyCompile_OpcodeStackEffectWithJump(raw.opcode, raw.arg, 1);
        const std::size_t target = target_of(code, unit);
        if (target < code.raw.size()) {
          work.push_back({target, depth + effect});
          code.is_target[target] = true;
        }
      }
      if (opcodes().ends_block[raw.opcode]) break;
      depth += raw.opcode == opcodes().extended_arg
                   ? 0
                   : PyCompile_OpcodeStackEffectWithJump(raw.opcode, raw.arg, 0);
      unit = next_of(code, unit);
    }
  }
}

// The name by which the callable of a call was loaded; empty if that was not by its name.
std::string_view callee_name(const Code& code, std::size_t unit, int callable, PyObject* names,
                             bool* is_local) {
  *is_local = false;
  for (std::size_t i = unit; i-- > 0;) {
    const Raw& raw = code.raw[i];
    if (raw.opcode < 0 || code.depth[i] < 0 || code.depth[i] > callable + 1) continue;
    if (raw.opcode == opcodes().push_null || raw.opcode == opcodes().extended_arg) continue;
    const bool is_attribute = raw.opcode == opcodes().load_attr;
    const bool is_name = opcodes().actions[raw.opcode] == Action::load_name;
    if (!is_attribute && raw.opcode != opcodes().load_global && !is_name) break;
    const int index = is_name ? raw.arg : raw.arg >> 1;
    if (index >= PyTuple_GET_SIZE(names)) break;
    const char* text = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, index));
    return text != nullptr ? text : "";
  }
  *is_local = true;
  return {};
}

// Whether a loop calls anything: then other threads' locks may be taken and given between its
// steps.
bool loop_calls(const Code& code, std::size_t unit) {
  const std::size_t end = std::min(target_of(code, unit), code.raw.size());
  for (std::size_t i = unit; i < end; ++i) {
    if (code.raw[i].opcode >= 0 && opcodes().calls[code.raw[i].opcode]) return true;
  }
  return false;
}

// Whether an iteration begins before the first instruction that has events: that of a generator
// expression does from 3.15 on. Its steps tell of it then.
bool begins_unseen(const Code& code, PyCodeObject* of) {
  const auto first = static_cast<std::size_t>(std::max(of->_co_firsttraceable, 0));
  for (std::size_t i = 0; i < std::min(first, code.raw.size()); ++i) {
    const int opcode = code.raw[i].opcode;
    if (opcode >= 0 && opcodes().actions[opcode] == Action::get_iter) return true;
  }
  return false;
}

Action action_of(const Code& code, std::size_t unit, PyCodeObject* of, bool all_steps) {
  const Raw& raw = code.raw[unit];
  Action action = opcodes().actions[raw.opcode];
  const std::size_t next = next_of(code, unit);
  const int following = next < code.raw.size() ? code.raw[next].opcode : -1;
  if (raw.opcode == opcodes().binary_op) {
    if (raw.arg == kSubscript) return Action::load_subscr;
    if (raw.arg < kInPlace) return Action::none;
    return following >= 0 && opcodes().stores_local[following] ? Action::none : action;
  }
  if (action == Action::for_iter) {
    const bool is_seen = all_steps || loop_calls(code, unit) || begins_unseen(code, of);
    return is_seen ? action : Action::none;
  }
  if (action == Action::call || action == Action::call_kw) {
    const int above = action == Action::call_kw ? 1 : 0;
    bool is_local = false;
    const int callable = code.depth[unit] - above - raw.arg - 2;
    const std::string_view name = callee_name(code, unit, callable, of->co_names, &is_local);
    PyErr_Clear();
    return is_local || is_container_call(name) ? action : Action::none;
  }
  return action;
}

PyObject* name_of(const Code& code, std::size_t unit, Action action, PyCodeObject* of,
                  Instruction& found) {
  const int arg = code.raw[unit].arg;
  int index = arg;
  switch (action) {
    case Action::load_attr: found.is_method = (arg & 1) != 0; [[fallthrough]];
    case Action::load_global: index = arg >> 1; break;
    case Action::store_attr:
    case Action::delete_attr:
    case Action::store_global:
    case Action::delete_global:
    case Action::load_name:
    case Action::store_name:
    case Action::delete_name: break;
    case Action::load_deref:
    case Action::store_deref:
      return arg < PyTuple_GET_SIZE(of->co_localsplusnames)
                 ? PyTuple_GET_ITEM(of->co_localsplusnames, arg)
                 : nullptr;
    default: return nullptr;
  }
  return index < PyTuple_GET_SIZE(of->co_names) ? PyTuple_GET_ITEM(of->co_names, index) : nullptr;
}

// The instruction before the one that stores loads what it stores to, which is a local variable or
// was loaded and copied before.
bool stores_in_place(const Code& code, std::size_t unit) {
  for (std::size_t i = code.raw[unit].begin; i-- > 0;) {
    const Raw& raw = code.raw[i];
    if (raw.opcode < 0) continue;
    if (raw.opcode == opcodes().binary_op) return raw.arg >= kInPlace && raw.arg != kSubscript;
    if (code.raw[unit].begin - i > 12) break;
    // SWAP and COPY bring the object back on top.
    const int effect = PyCompile_OpcodeStackEffectWithJump(raw.opcode, raw.arg, 0);
    if (effect != 0) break;
  }
  return false;
}

}  // namespace

CodeTable::CodeTable() = default;
CodeTable::~CodeTable() = default;

Key hash_of_name(PyObject* name) {
  return static_cast<Key>(PyObject_Hash(name)) & 0x0FFFFFFFFFFFFFFFu;
}

std::unique_ptr<CodeTable> analyze(PyCodeObject* of, bool all_steps, bool with_runs) {
  PyObject* bytes = PyCode_GetCode(of);
  if (bytes == nullptr) return nullptr;
  const auto units = static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)) / 2;
  Code code = decode(reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(bytes)), units);
  Py_DECREF(bytes);
  PyObject* table = of->co_exceptiontable;
  find_depths(code, handlers_of(reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(table)),
                                PyBytes_GET_SIZE(table)));
  auto result = std::make_unique<CodeTable>();
  result->code = of;
  result->instructions.resize(units);
  for (std::size_t i = 0; i < units; ++i) {
    if (code.raw[i].opcode < 0 || code.depth[i] < 0) continue;
    Instruction found;
    found.action = action_of(code, i, of, all_steps);
    if (found.action == Action::none) continue;
    found.depth = static_cast<std::uint16_t>(code.depth[i]);
    found.arg = static_cast<std::uint16_t>(code.raw[i].arg);
    found.name = name_of(code, i, found.action, of, found);
    if (found.name != nullptr) found.hash = hash_of_name(found.name);
    found.is_in_place = stores_in_place(code, i);
    found.is_mapping = opcodes().copies_mapping[code.raw[i].opcode];
    result->instructions[i] = found;
  }
  if (with_runs) find_runs(code, *result);
  return result;
}

int note_stored_names(PyCodeObject* of) {
  PyObject* bytes = PyCode_GetCode(of);
  if (bytes == nullptr) return -1;
  const auto units = static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)) / 2;
  const Code code = decode(reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(bytes)), units);
  Py_DECREF(bytes);
  const Py_ssize_t first_free = PyTuple_GET_SIZE(of->co_localsplusnames) - of->co_nfreevars;
  for (const Raw& raw : code.raw) {
    if (raw.opcode < 0) continue;
    const std::lock_guard<std::mutex> lock(names_mutex);
    if (raw.opcode == opcodes().store_global && raw.arg < PyTuple_GET_SIZE(of->co_names)) {
      stored_globals.insert(hash_of_name(PyTuple_GET_ITEM(of->co_names, raw.arg)));
    }
    if (raw.opcode == opcodes().store_deref && raw.arg >= first_free &&
        raw.arg < PyTuple_GET_SIZE(of->co_localsplusnames)) {
      stored_nonlocals.insert(hash_of_name(PyTuple_GET_ITEM(of->co_localsplusnames, raw.arg)));
    }
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(of->co_consts); ++i) {
    PyObject* constant = PyTuple_GET_ITEM(of->co_consts, i);
    if (!PyCode_Check(constant)) continue;
    if (note_stored_names(reinterpret_cast<PyCodeObject*>(constant)) < 0) return -1;
  }
  return 0;
}

bool is_stored_global(Key name_hash) {
  const std::lock_guard<std::mutex> lock(names_mutex);
  return stored_globals.count(name_hash) != 0;
}

bool is_stored_nonlocal(Key name_hash) {
  const std::lock_guard<std::mutex> lock(names_mutex);
  return stored_nonlocals.count(name_hash) != 0;
}

}  // namespace gilscope::races
