#include "cpython/callable.hpp"

#include <Python.h>

#include <atomic>
#include <string>
#include <string_view>

namespace gilscope::callable {
namespace {

std::uint64_t key_of(const void* a, const void* b = nullptr, const void* c = nullptr) {
  auto number = [](const void* p) { return reinterpret_cast<std::uint64_t>(p); };
  return mix(mix(mix(number(a)) ^ number(b)) ^ number(c));
}

// The text of a str, "" for anything else. Its owner keeps it alive.
std::string_view text_of(PyObject* object) {
  if (object == nullptr || !PyUnicode_Check(object)) return {};
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == nullptr) {
    PyErr_Clear();
    return {};
  }
  return {text, static_cast<std::size_t>(size)};
}

// What was raised before stays raised, whatever is looked up meanwhile.
class ExceptionKeeper {
 public:
  ExceptionKeeper() : raised_(PyErr_GetRaisedException()) {}
  ~ExceptionKeeper() { PyErr_SetRaisedException(raised_); }
  ExceptionKeeper(const ExceptionKeeper&) = delete;
  ExceptionKeeper& operator=(const ExceptionKeeper&) = delete;

 private:
  PyObject* raised_;
};

// The callable behind a type's attribute, which takes a look-up: by type, its version (which
// changes with every change of the class or its bases) and name. One word a place, so no lock: the
// upper part is the key's, the lower the number.
class MethodCache {
 public:
  static std::uint32_t get(std::uint64_t key) {
    const std::uint64_t value = place(key).load(std::memory_order_relaxed);
    return (value ^ key) >> kIdBits == 0 ? static_cast<std::uint32_t>(value & kIdMask) : 0;
  }
  static void put(std::uint64_t key, std::uint32_t id) {
    if (id > kIdMask) return;
    place(key).store((key & ~kIdMask) | id, std::memory_order_relaxed);
  }

 private:
  static constexpr int kIdBits = 20;
  static constexpr std::uint64_t kIdMask = (std::uint64_t{1} << kIdBits) - 1;
  static constexpr std::size_t kPlaces = 1024;
  static std::atomic<std::uint64_t>& place(std::uint64_t key) {
    return places_[(key >> kIdBits) % kPlaces];
  }
  static std::atomic<std::uint64_t> places_[kPlaces];
};

std::atomic<std::uint64_t> MethodCache::places_[MethodCache::kPlaces];

std::uint32_t define(Session& session, std::uint32_t id, std::uint32_t code, std::string_view name,
                     std::string_view module) {
  session.file().define(
      format::CallableBody{id, code, session.string(name), session.string(module)});
  return id;
}

// Code objects come and go and their addresses with them; that all its parts are at the same
// addresses, too, is as good as never.
std::uint64_t key_of_code(const PyCodeObject* code) {
  return key_of(code, code->co_qualname, code->co_filename) ^
         mix(static_cast<std::uint64_t>(code->co_firstlineno));
}

std::uint32_t code_id(Session& session, PyCodeObject* code, std::string_view module) {
  const IdTable::Found found = session.definitions().codes.find(key_of_code(code));
  if (!found.is_new) return found.id;
  const format::CodeBody body{found.id,
                              static_cast<std::uint32_t>(code->co_firstlineno),
                              session.string(text_of(code->co_filename)),
                              session.string(text_of(code->co_qualname)),
                              session.string(module),
                              0};
  session.file().define(body);
  return found.id;
}

std::uint32_t of_function(Session& session, PyFunctionObject* function) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  const IdTable::Found found = session.definitions().callables.find(key_of_code(code));
  if (!found.is_new) return found.id;
  const ExceptionKeeper keep;
  const std::string_view module = text_of(function->func_module);
  return define(session, found.id, code_id(session, code, module), text_of(code->co_qualname),
                module);
}

std::uint32_t of_builtin(Session& session, PyCFunctionObject* function) {
  const IdTable::Found found = session.definitions().callables.find(
      key_of(function->m_ml, function->m_ml->ml_name, Py_TYPE(function)));
  if (!found.is_new) return found.id;
  const ExceptionKeeper keep;
  std::string_view module = text_of(function->m_module);
  // A method of a built-in object belongs to its type.
  std::string name = function->m_ml->ml_name;
  PyObject* self = function->m_self;
  if (module.empty() && self != nullptr && !PyModule_Check(self) && !PyCapsule_CheckExact(self)) {
    const std::string_view type = Py_TYPE(self)->tp_name;
    name = std::string(type.substr(type.rfind('.') + 1)) + "." + name;
  }
  return define(session, found.id, 0, name, module);
}

std::uint32_t of_type(Session& session, PyTypeObject* type) {
  const IdTable::Found found =
      session.definitions().callables.find(key_of(type, type->tp_name, type->tp_dict));
  if (!found.is_new) return found.id;
  const ExceptionKeeper keep;
  PyObject* name = PyType_GetQualName(type);
  PyObject* module = name != nullptr ? PyType_GetModuleName(type) : nullptr;
  PyErr_Clear();
  define(session, found.id, 0, text_of(name), text_of(module));
  Py_XDECREF(module);
  Py_XDECREF(name);
  return found.id;
}

// functools.partial begins with what it calls; proved before it is relied on.
class Partial {
 public:
  static PyObject* function_of(PyObject* object) {
    const PyTypeObject* type = proved_.load(std::memory_order_relaxed);
    if (type == nullptr || Py_TYPE(object) != type) return nullptr;
    return first_member(object);
  }
  // By one thread at a time, and once: the type stays.
  static void prove() {
    if (proved_.load(std::memory_order_relaxed) == nullptr) proved_.store(find());
  }

 private:
  static std::atomic<PyTypeObject*> proved_;

  static PyObject* first_member(PyObject* object) {
    return *reinterpret_cast<PyObject**>(object + 1);
  }
  static PyTypeObject* find() {
    const ExceptionKeeper keep;
    PyTypeObject* found = nullptr;
    PyObject* functools = PyImport_ImportModule("functools");
    PyObject* type = functools != nullptr ? PyObject_GetAttrString(functools, "partial") : nullptr;
    PyObject* object = type != nullptr ? PyObject_CallOneArg(type, type) : nullptr;
    if (object != nullptr &&
        reinterpret_cast<PyTypeObject*>(type)->tp_basicsize >
            static_cast<Py_ssize_t>(sizeof(PyObject) + sizeof(void*)) &&
        Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(type) && first_member(object) == type) {
      found = reinterpret_cast<PyTypeObject*>(type);
    }
    PyErr_Clear();
    Py_XDECREF(object);
    Py_XDECREF(type);
    Py_XDECREF(functools);
    return found;
  }
};

std::atomic<PyTypeObject*> Partial::proved_{nullptr};

constexpr int kMaxNesting = 8;  // of methods and partials

std::uint32_t resolve(Session& session, PyObject* object, int nesting);

std::uint32_t of_descriptor(Session& session, PyMethodDescrObject* method) {
  PyTypeObject* type = PyDescr_TYPE(method);
  const IdTable::Found found =
      session.definitions().callables.find(key_of(method->d_method, type, type->tp_name));
  if (!found.is_new) return found.id;
  const std::string_view path = type->tp_name;
  const std::size_t dot = path.rfind('.');
  const std::string name = std::string(path.substr(dot + 1)) + "." + method->d_method->ml_name;
  return define(session, found.id, 0, name,
                dot != std::string_view::npos ? path.substr(0, dot) : std::string_view());
}

// What `type` has by that name; `name` a str. An attribute of the instance that hides it is not
// seen: to look for that could make the dict that the instance does not have yet.
std::uint32_t of_attribute(Session& session, PyTypeObject* type, PyObject* name, int nesting) {
  PyObject* attribute = _PyType_LookupRef(type, name);
  if (attribute == nullptr) return 0;
  std::uint32_t id = 0;
  if (PyFunction_Check(attribute)) {
    id = of_function(session, reinterpret_cast<PyFunctionObject*>(attribute));
  } else if (Py_IS_TYPE(attribute, &PyMethodDescr_Type)) {
    id = of_descriptor(session, reinterpret_cast<PyMethodDescrObject*>(attribute));
  } else if (PyInstanceMethod_Check(attribute)) {
    id = resolve(session, PyInstanceMethod_GET_FUNCTION(attribute), nesting + 1);
  }
  Py_DECREF(attribute);
  return id;
}

std::uint64_t attribute_key(const Session& session, PyTypeObject* type, std::string_view name) {
  return mix(mix(name) ^ key_of(type) ^ type->tp_version_tag) ^ mix(session.id());
}

std::uint32_t of_method_named(Session& session, PyObject* self, std::string_view name,
                              PyObject* object, int nesting) {
  PyTypeObject* type = Py_TYPE(self);
  const std::uint64_t key = attribute_key(session, type, name);
  if (type->tp_version_tag != 0) {
    if (const std::uint32_t id = MethodCache::get(key)) return id;
  }
  const ExceptionKeeper keep;
  PyObject* made = object == nullptr ? PyUnicode_FromStringAndSize(
                                           name.data(), static_cast<Py_ssize_t>(name.size()))
                                     : nullptr;
  std::uint32_t id = 0;
  if (object != nullptr || made != nullptr) {
    id = of_attribute(session, type, object != nullptr ? object : made, nesting);
  }
  Py_XDECREF(made);
  PyErr_Clear();
  if (id != 0 && type->tp_version_tag != 0) {
    MethodCache::put(attribute_key(session, type, name), id);
  }
  return id;
}

std::uint32_t resolve(Session& session, PyObject* object, int nesting) {
  if (object == nullptr || nesting > kMaxNesting) return 0;
  if (PyFunction_Check(object)) {
    return of_function(session, reinterpret_cast<PyFunctionObject*>(object));
  }
  if (PyMethod_Check(object)) return resolve(session, PyMethod_GET_FUNCTION(object), nesting + 1);
  if (PyCFunction_Check(object)) {
    return of_builtin(session, reinterpret_cast<PyCFunctionObject*>(object));
  }
  if (PyType_Check(object)) return of_type(session, reinterpret_cast<PyTypeObject*>(object));
  if (PyObject* function = Partial::function_of(object)) {
    return resolve(session, function, nesting + 1);
  }
  const std::uint32_t id = of_method_named(session, object, "__call__", nullptr, nesting);
  // Callables of an extension's own kind: their type is what there is to say.
  return id != 0 ? id : of_type(session, Py_TYPE(object));
}

}  // namespace

void initialize() { Partial::prove(); }

bool is_class(void* object) { return PyType_Check(static_cast<PyObject*>(object)) != 0; }

std::uint32_t of_object(Session& session, void* object) {
  return resolve(session, static_cast<PyObject*>(object), 0);
}

std::uint32_t of_method(Session& session, void* self, const char* name) {
  if (self == nullptr || name == nullptr) return 0;
  return of_method_named(session, static_cast<PyObject*>(self), name, nullptr, 0);
}

std::uint32_t of_method(Session& session, void* self, void* name) {
  auto* text = static_cast<PyObject*>(name);
  if (self == nullptr || text == nullptr || !PyUnicode_CheckExact(text)) return 0;
  const std::string_view characters = text_of(text);
  if (characters.empty()) return 0;
  return of_method_named(session, static_cast<PyObject*>(self), characters, text, 0);
}

}  // namespace gilscope::callable
