#include "cpython/races_calls.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace gilscope::races {
namespace {

// What a method does to its container, or a function to its first argument.
enum class Effect : std::uint8_t {
  read,  // its structure
  add,
  remove,
  change,
  get_key,
  pop_key,
  set_default,
  update,
  add_member,
  remove_member,
  iterate,  // step by step, while others run
  advance,  // an iterator
  get_attribute,
  set_attribute,
  delete_attribute,
  begin,  // makes an iterator
  look_at_dict,
  count,  // adds to the number of each
};

struct Rule {
  const char* name;
  Effect effect;
};

constexpr Rule kListRules[] = {
    {"append", Effect::add},  {"extend", Effect::add},     {"insert", Effect::add},
    {"pop", Effect::remove},  {"remove", Effect::remove},  {"clear", Effect::remove},
    {"sort", Effect::change}, {"reverse", Effect::change}, {"copy", Effect::read},
    {"index", Effect::read},  {"count", Effect::read},
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
    {"copy", Effect::read},
    {"move_to_end", Effect::change},
    {"__contains__", Effect::get_key},
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
    {"sorted", Effect::read},
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
constexpr Rule kCollectionsRules[] = {{"_count_elements", Effect::count}};
constexpr const char* kTypeNames[] = {"list",      "tuple",    "set", "frozenset", "dict",
                                      "enumerate", "reversed", "zip", "map",       "filter"};

auto& effects = *new std::unordered_map<const PyMethodDef*, Effect>;
auto& type_effects = *new std::unordered_map<const PyTypeObject*, Effect>{
    {&PyList_Type, Effect::read},      {&PyTuple_Type, Effect::read}, {&PySet_Type, Effect::read},
    {&PyFrozenSet_Type, Effect::read}, {&PyDict_Type, Effect::read},  {&PyEnum_Type, Effect::begin},
    {&PyReversed_Type, Effect::begin}, {&PyZip_Type, Effect::begin},  {&PyMap_Type, Effect::begin},
    {&PyFilter_Type, Effect::begin},
};
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

// A call, taken apart. `self` is nullptr for functions.
struct Call {
  PyObject* self = nullptr;
  int first = 0;  // places below the top of the first argument
  int count = 0;

  PyObject* argument(const Event& event, int number) const {
    return number < count ? event.at(first - number) : nullptr;
  }
};

void update(Event& event, PyObject* dict, PyObject* from) {
  constexpr Py_ssize_t kMost = 64;
  touch_structure(event, dict, Op::add);
  if (from == nullptr || !PyDict_CheckExact(from) || PyDict_GET_SIZE(from) > kMost) return;
  PyObject* keys = PyDict_Keys(from);
  if (keys == nullptr) return PyErr_Clear();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); ++i) {
    touch_item(event, dict, PyList_GET_ITEM(keys, i), Op::store);
  }
  Py_DECREF(keys);
}

// Counter(words), counter.update(words).
void count_elements(Event& event, PyObject* counts, PyObject* elements) {
  constexpr Py_ssize_t kMost = 64;
  const bool is_known =
      elements != nullptr && (PyList_CheckExact(elements) || PyTuple_CheckExact(elements) ||
                              PyUnicode_CheckExact(elements));
  if (!is_known || !is_dict(counts)) return;
  PyObject* copy = PySequence_Tuple(elements);  // the list may be shared
  if (copy == nullptr) return PyErr_Clear();
  for (Py_ssize_t i = 0; i < std::min(PyTuple_GET_SIZE(copy), kMost); ++i) {
    PyObject* key = PyTuple_GET_ITEM(copy, i);
    touch_item(event, counts, key, Op::read);
    touch_item(event, counts, key, Op::store);
  }
  Py_DECREF(copy);
}

void on_container(Event& event, const Call& call, Effect effect) {
  PyObject* self = call.self;
  PyObject* key = call.argument(event, 0);
  switch (effect) {
    case Effect::read: return touch_structure(event, self, Op::read);
    case Effect::add:
      touch_structure(event, self, Op::add);
      // list.insert(index, item); what is extended by is many.
      if (PyObject* item = call.argument(event, call.count - 1)) put(event, self, item);
      return;
    case Effect::remove: return touch_structure(event, self, Op::remove);
    case Effect::change: return touch_structure(event, self, Op::change);
    case Effect::update: return update(event, self, key);
    case Effect::get_key:
      if (key != nullptr) touch_item(event, self, key, Op::read);
      return;
    case Effect::pop_key:
      if (key != nullptr) touch_item(event, self, key, Op::remove);
      return;
    case Effect::set_default:
      if (key == nullptr) return;
      return touch_item(event, self, key, has_key(self, key) == 0 ? Op::store : Op::read);
    case Effect::add_member:
      if (key == nullptr) return;
      touch_member(event, self, key, Op::add);
      return put(event, self, key);
    case Effect::remove_member:
      if (key != nullptr) touch_member(event, self, key, Op::remove);
      return;
    default: return;
  }
}

void on_attribute(Event& event, const Call& call, Op op) {
  PyObject* owner = call.argument(event, 0);
  PyObject* name = call.argument(event, 1);
  if (owner == nullptr || name == nullptr || !PyUnicode_CheckExact(name)) return;
  touch_attribute(event, owner, name, hash_of_name(name), op);
}

void on_function(Event& event, const Call& call, Effect effect) {
  PyObject* argument = call.argument(event, 0);
  if (argument == nullptr) return;
  switch (effect) {
    case Effect::read: return touch_iterable(event, argument, Op::read);
    case Effect::begin:
      for (int i = 0; i < call.count; ++i) {
        PyObject* each = call.argument(event, i);
        if (each != nullptr && Py_TYPE(each)->tp_iter != PyObject_SelfIter) {
          touch_iterable(event, each, Op::iterate);
        }
      }
      return;
    case Effect::iterate: return touch_iterable(event, argument, Op::iterate);
    case Effect::advance: return touch_iterator(event, argument);
    case Effect::get_attribute: return on_attribute(event, call, Op::read);
    case Effect::set_attribute: return on_attribute(event, call, Op::store);
    case Effect::delete_attribute: return on_attribute(event, call, Op::remove);
    case Effect::look_at_dict: return look_at_dict(event, argument);
    case Effect::count: return count_elements(event, argument, call.argument(event, 1));
    default: break;
  }
  // heapq's functions change the list that they are given.
  if (is_list(argument)) on_container(event, {argument, call.first - 1, call.count - 1}, effect);
}

void apply(Event& event, const Call& call, const PyMethodDef* method) {
  const auto found = effects.find(method);
  if (found == effects.end()) return;
  if (call.self == nullptr || PyModule_Check(call.self)) {
    return on_function(event, call, found->second);
  }
  if (is_container(call.self)) on_container(event, call, found->second);
}

// The object that a method is bound to; nullptr: it is none.
PyObject* bound_to(PyObject* callable) {
  if (PyMethod_Check(callable)) return PyMethod_GET_SELF(callable);
  return PyCFunction_Check(callable) ? PyCFunction_GET_SELF(callable) : nullptr;
}

}  // namespace

bool is_container_call(std::string_view name) { return call_names.count(name) != 0; }

int initialize_calls() {
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
  return add_functions("_heapq", kHeapRules);
}

void touch_call(Event& event, int below, int arguments, int keywords) {
  PyObject* callable = event.at(below);
  PyObject* self = event.at(below - 1);
  if (callable == nullptr) return;
  // The end of a `with` statement calls what its beginning has looked up.
  if (event.session.has_declared()) {
    PyObject* object = bound_to(callable);
    if (object != nullptr && event.session.follow(event.thread, object)) return;
  }
  Call call{self, below - 2, arguments - keywords};
  if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
    if (self == nullptr) call = {call.argument(event, 0), below - 3, call.count - 1};
    if (call.self == nullptr) return;
    const PyMethodDef* method = reinterpret_cast<PyMethodDescrObject*>(callable)->d_method;
    return apply(event, call, method);
  }
  if (self != nullptr) call = {nullptr, below - 1, call.count + 1};
  if (PyCFunction_Check(callable)) {
    const auto* function = reinterpret_cast<PyCFunctionObject*>(callable);
    call.self = (function->m_ml->ml_flags & METH_STATIC) != 0 ? nullptr : function->m_self;
    return apply(event, call, function->m_ml);
  }
  if (PyType_Check(callable)) {
    const auto found = type_effects.find(reinterpret_cast<PyTypeObject*>(callable));
    if (found != type_effects.end()) on_function(event, call, found->second);
  }
}

}  // namespace gilscope::races
