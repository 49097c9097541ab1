#include "cpython/races_opcodes.hpp"

#include <string>
#include <string_view>
#include <unordered_map>

namespace gilscope::races {
namespace {

const auto& action_names = *new std::unordered_map<std::string_view, Action>{
    {"LOAD_ATTR", Action::load_attr},
    {"STORE_ATTR", Action::store_attr},
    {"DELETE_ATTR", Action::delete_attr},
    {"LOAD_GLOBAL", Action::load_global},
    {"STORE_GLOBAL", Action::store_global},
    {"DELETE_GLOBAL", Action::delete_global},
    {"LOAD_NAME", Action::load_name},
    {"STORE_NAME", Action::store_name},
    {"DELETE_NAME", Action::delete_name},
    {"BINARY_SUBSCR", Action::load_subscr},
    {"STORE_SUBSCR", Action::store_subscr},
    {"DELETE_SUBSCR", Action::delete_subscr},
    {"BINARY_SLICE", Action::load_slice},
    {"STORE_SLICE", Action::store_slice},
    {"CONTAINS_OP", Action::contains},
    {"TO_BOOL", Action::to_bool},
    {"GET_ITER", Action::get_iter},
    {"FOR_ITER", Action::for_iter},
    {"LOAD_DEREF", Action::load_deref},
    {"STORE_DEREF", Action::store_deref},
    {"CALL", Action::call},
    {"CALL_KW", Action::call_kw},
    {"BINARY_OP", Action::in_place},
    {"UNPACK_SEQUENCE", Action::unpack},
    {"UNPACK_EX", Action::unpack},
    {"LIST_EXTEND", Action::unpack},
    {"SET_UPDATE", Action::unpack},
    {"DICT_UPDATE", Action::unpack},
    {"DICT_MERGE", Action::unpack},
    {"BEFORE_WITH", Action::enter},
    {"LOAD_SPECIAL", Action::enter},
};
Opcodes& all_opcodes = *new Opcodes;

void describe_opcode(const std::string& name, int opcode) {
  Opcodes& all = opcodes();
  const auto found = action_names.find(name);
  if (found != action_names.end()) all.actions[opcode] = found->second;
  all.jumps_back[opcode] = name.find("BACKWARD") != std::string::npos;
  for (const char* end :
       {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "RETURN_VALUE",
        "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"}) {
    if (name == end) all.ends_block[opcode] = true;
  }
  all.stores_local[opcode] = name.rfind("STORE_FAST", 0) == 0;
  all.calls[opcode] = name.rfind("CALL", 0) == 0 || name == "BEFORE_WITH" || name == "LOAD_SPECIAL";
  all.copies_mapping[opcode] = name == "DICT_UPDATE" || name == "DICT_MERGE";
  if (name == "EXTENDED_ARG") all.extended_arg = opcode;
  if (name == "BINARY_OP") all.binary_op = opcode;
  if (name == "LOAD_ATTR") all.load_attr = opcode;
  if (name == "LOAD_GLOBAL") all.load_global = opcode;
  if (name == "PUSH_NULL") all.push_null = opcode;
  if (name == "STORE_GLOBAL") all.store_global = opcode;
  if (name == "STORE_DEREF") all.store_deref = opcode;
}

// A dict with what a mapping of the module has; later versions make them of other types.
PyObject* dict_of(PyObject* module, const char* name) {
  PyObject* mapping = PyObject_GetAttrString(module, name);
  PyObject* dict = mapping != nullptr ? PyDict_New() : nullptr;
  if (dict != nullptr && PyDict_Update(dict, mapping) < 0) Py_CLEAR(dict);
  Py_XDECREF(mapping);
  return dict;
}

int read_opmap(PyObject* module) {
  PyObject* map = dict_of(module, "opmap");
  PyObject* caches = dict_of(module, "_inline_cache_entries");
  PyObject* jumps = PyObject_GetAttrString(module, "hasjump");
  int done = -1;
  if (map != nullptr && caches != nullptr && jumps != nullptr) {
    PyObject* name = nullptr;
    PyObject* number = nullptr;
    Py_ssize_t place = 0;
    done = 0;
    while (PyDict_Next(map, &place, &name, &number) != 0) {
      const long opcode = PyLong_AsLong(number);
      if (opcode < 0 || opcode >= kOpcodes) continue;
      describe_opcode(PyUnicode_AsUTF8(name), static_cast<int>(opcode));
      PyObject* entries = PyDict_GetItem(caches, name);
      if (entries != nullptr) {
        opcodes().caches[static_cast<std::size_t>(opcode)] =
            static_cast<std::uint8_t>(PyLong_AsLong(entries));
      }
      const int jump = PySequence_Contains(jumps, number);
      opcodes().jumps[static_cast<std::size_t>(opcode)] = jump > 0;
    }
  }
  Py_XDECREF(map);
  Py_XDECREF(caches);
  Py_XDECREF(jumps);
  return PyErr_Occurred() != nullptr ? -1 : done;
}

}  // namespace

Opcodes& opcodes() { return all_opcodes; }

int initialize_opcodes() {
  PyObject* module = PyImport_ImportModule("opcode");
  const int done = module != nullptr ? read_opmap(module) : -1;
  Py_XDECREF(module);
  return done;
}

}  // namespace gilscope::races
