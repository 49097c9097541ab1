#include "cpython/races_effects.hpp"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "cpython/races_code.hpp"

namespace gilscope::races {
namespace {

struct Rule {
  const char* name;
  Effect effect;
};

constexpr Rule kListRules[] = {
    {"append", Effect::add},  {"extend", Effect::add},     {"insert", Effect::add},
    {"pop", Effect::remove},  {"remove", Effect::remove},  {"clear", Effect::remove},
    {"sort", Effect::change}, {"reverse", Effect::change}, {"copy", Effect::read_all},
    {"index", Effect::read},  {"count", Effect::read},     {"__getitem__", Effect::get_item},
};
constexpr Rule kDequeRules[] = {
    {"append", Effect::add},     {"appendleft", Effect::add}, {"extend", Effect::add},
    {"extendleft", Effect::add}, {"insert", Effect::add},     {"pop", Effect::remove},
    {"popleft", Effect::remove}, {"remove", Effect::remove},  {"clear", Effect::remove},
    {"rotate", Effect::change},  {"reverse", Effect::change}, {"copy", Effect::read},
    {"index", Effect::read},     {"count", Effect::read},
};
// Those of array.array among them.
constexpr Rule kArrayRules[] = {
    {"append", Effect::add},      {"extend", Effect::add},    {"insert", Effect::add},
    {"fromlist", Effect::add},    {"frombytes", Effect::add}, {"pop", Effect::remove},
    {"remove", Effect::remove},   {"clear", Effect::remove},  {"reverse", Effect::change},
    {"byteswap", Effect::change}, {"resize", Effect::change}, {"copy", Effect::read},
    {"index", Effect::read},      {"count", Effect::read},    {"tobytes", Effect::read},
    {"tolist", Effect::read},
};
constexpr Rule kDictRules[] = {
    {"get", Effect::get_key},
    {"pop", Effect::pop_key},
    {"setdefault", Effect::set_default},
    {"update", Effect::update},
    {"popitem", Effect::remove},
    {"clear", Effect::remove},
    {"copy", Effect::read_values},
    {"move_to_end", Effect::change},
    {"__contains__", Effect::get_key},
    {"__getitem__", Effect::get_item},
};
constexpr Rule kSetRules[] = {
    {"add", Effect::add_member},
    {"discard", Effect::remove_member},
    {"remove", Effect::remove_member},
    {"pop", Effect::remove},
    {"clear", Effect::remove},
    {"update", Effect::add},
    {"difference_update", Effect::remove},
    {"copy", Effect::read},
    {"__contains__", Effect::contains},
};
constexpr Rule kFunctionRules[] = {
    {"len", Effect::read},
    {"next", Effect::advance},
    {"iter", Effect::begin},
    {"sum", Effect::iterate},
    {"min", Effect::iterate},
    {"max", Effect::iterate},
    {"any", Effect::iterate},
    {"all", Effect::iterate},
    {"sorted", Effect::read_all},
    {"getattr", Effect::get_attribute},
    {"hasattr", Effect::get_attribute},
    {"setattr", Effect::set_attribute},
    {"delattr", Effect::delete_attribute},
    {"vars", Effect::look_at_dict},
};
constexpr Rule kHeapRules[] = {
    {"heappush", Effect::add},       {"heappop", Effect::remove}, {"heapreplace", Effect::change},
    {"heappushpop", Effect::change}, {"heapify", Effect::change},
};
constexpr Rule kOperatorRules[] = {
    {"getitem", Effect::get_item},  {"setitem", Effect::set_item}, {"delitem", Effect::delete_item},
    {"contains", Effect::contains}, {"iadd", Effect::add},         {"iconcat", Effect::add},
    {"ior", Effect::add},           {"iand", Effect::remove},      {"isub", Effect::remove},
    {"ixor", Effect::change},       {"imul", Effect::change},
};
// What stands behind operators, and can be called by its name.
constexpr Rule kSlotRules[] = {
    {"__getitem__", Effect::get_item},
    {"__setitem__", Effect::set_item},
    {"__delitem__", Effect::delete_item},
    {"__contains__", Effect::contains},
    {"__len__", Effect::read},
    {"__iter__", Effect::iterate},
    {"__next__", Effect::advance},
    {"__iadd__", Effect::add},
    {"__ior__", Effect::add},
    {"__iand__", Effect::remove},
    {"__isub__", Effect::remove},
    {"__ixor__", Effect::change},
    {"__imul__", Effect::change},
    {"__getattribute__", Effect::get_attribute},
    {"__setattr__", Effect::set_attribute},
    {"__delattr__", Effect::delete_attribute},
};
constexpr Rule kCollectionsRules[] = {{"_count_elements", Effect::count}};
constexpr const char* kTypeNames[] = {"list",      "tuple",    "set", "frozenset", "dict",
                                      "enumerate", "reversed", "zip", "map",       "filter"};

auto& effects = *new std::unordered_map<const PyMethodDef*, Effect>;
auto& type_effects = *new std::unordered_map<const PyTypeObject*, Effect>{
    {&PyList_Type, Effect::read_all},    {&PyTuple_Type, Effect::read_all},
    {&PySet_Type, Effect::read_all},     {&PyFrozenSet_Type, Effect::read_all},
    {&PyDict_Type, Effect::read_values}, {&PyEnum_Type, Effect::begin},
    {&PyReversed_Type, Effect::begin},   {&PyZip_Type, Effect::begin},
    {&PyMap_Type, Effect::begin},        {&PyFilter_Type, Effect::begin},
};
PyTypeObject* bound_slot_type = nullptr;
auto& slot_effects = *new std::unordered_map<std::string_view, Effect>;
auto& call_names = *new std::unordered_set<std::string_view>;

template <std::size_t N>
void add_methods(PyTypeObject* type, const Rule (&rules)[N]) {
  PyObject* names = PyType_GetDict(type);
  for (const Rule& rule : rules) {
    call_names.insert(rule.name);
    PyObject* found = names != nullptr ? PyDict_GetItemString(names, rule.name) : nullptr;
    if (found == nullptr || !Py_IS_TYPE(found, &PyMethodDescr_Type)) continue;
    effects[reinterpret_cast<PyMethodDescrObject*>(found)->d_method] = rule.effect;
  }
  Py_XDECREF(names);
}

template <std::size_t N>
int add_methods_of(const char* module_name, const char* type_name, const Rule (&rules)[N]) {
  PyObject* module = PyImport_ImportModule(module_name);
  PyObject* type = module != nullptr ? PyObject_GetAttrString(module, type_name) : nullptr;
  Py_XDECREF(module);
  if (type == nullptr) return -1;
  add_methods(reinterpret_cast<PyTypeObject*>(type), rules);
  Py_DECREF(type);
  return 0;
}

template <std::size_t N>
int add_functions(const char* module_name, const Rule (&rules)[N]) {
  PyObject* module = PyImport_ImportModule(module_name);
  if (module == nullptr) return -1;
  for (const Rule& rule : rules) {
    call_names.insert(rule.name);
    PyObject* found = PyObject_GetAttrString(module, rule.name);
    if (found != nullptr && PyCFunction_Check(found)) {
      effects[reinterpret_cast<PyCFunctionObject*>(found)->m_ml] = rule.effect;
    }
    PyErr_Clear();
    Py_XDECREF(found);
  }
  Py_DECREF(module);
  return 0;
}

}  // namespace

Effect effect_of(const PyMethodDef* method) {
  const auto found = effects.find(method);
  return found != effects.end() ? found->second : Effect::none;
}

Effect effect_of(const PyTypeObject* type) {
  const auto found = type_effects.find(type);
  return found != type_effects.end() ? found->second : Effect::none;
}

Effect effect_of_slot(const char* name) {
  const auto found = slot_effects.find(name);
  return found != slot_effects.end() ? found->second : Effect::none;
}

bool is_bound_slot(PyObject* callable) { return Py_IS_TYPE(callable, bound_slot_type); }

bool is_container_call(std::string_view name) { return call_names.count(name) != 0; }

int initialize_effects() {
  add_methods(&PyList_Type, kListRules);
  add_methods(&PyDict_Type, kDictRules);
  add_methods(&PyODict_Type, kDictRules);
  add_methods(&PySet_Type, kSetRules);
  for (const char* name : kTypeNames) call_names.insert(name);
  add_methods(&PyByteArray_Type, kArrayRules);
  add_methods(&PyMemoryView_Type, kArrayRules);
  if (add_methods_of("collections", "deque", kDequeRules) < 0) return -1;
  if (add_methods_of("array", "array", kArrayRules) < 0) PyErr_Clear();  // built without it
  if (add_functions("_collections", kCollectionsRules) < 0) return -1;
  if (add_functions("builtins", kFunctionRules) < 0) return -1;
  if (add_functions("_operator", kOperatorRules) < 0) return -1;
  PyObject* bound = PyObject_GetAttrString(Py_None, "__repr__");  // the type has no name in C
  if (bound == nullptr) return -1;
  bound_slot_type = Py_TYPE(bound);
  Py_DECREF(bound);
  for (const Rule& rule : kSlotRules) {
    slot_effects[rule.name] = rule.effect;
    call_names.insert(rule.name);
  }
  return add_functions("_heapq", kHeapRules);
}

}  // namespace gilscope::races
