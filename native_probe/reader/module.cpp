// The Python module gilscope._file_memory: numpy takes the memory of large arrays from file_memory.
//
// numpy's headers are not needed: what is used of it, handlers of memory (NEP 49), has had one form
// since numpy 1.22.
#include <Python.h>

#include <cstdint>
#include <cstring>

#include "reader/file_memory.hpp"

namespace gilscope {
namespace {

constexpr std::size_t kSetHandler = 304, kGetHandler = 305;  // in numpy's table of functions
constexpr std::uint8_t kVersion = 1;
constexpr const char* kCapsule = "mem_handler";

struct Allocator {
  void* context;
  void* (*allocate)(void* context, std::size_t size);
  void* (*allocate_zeroed)(void* context, std::size_t count, std::size_t size);
  void* (*reallocate)(void* context, void* block, std::size_t size);
  void (*free)(void* context, void* block, std::size_t size);
};

struct Handler {
  char name[127];
  std::uint8_t version;
  Allocator allocator;
};

Allocator heap;  // numpy's own

void* allocate(void*, std::size_t size) {
  bool zeroed = false;
  if (void* block = file_memory::take(size, &zeroed)) return block;
  return heap.allocate(heap.context, size);
}

void* allocate_zeroed(void*, std::size_t count, std::size_t size) {
  std::size_t total = 0;
  bool zeroed = false;
  if (!__builtin_mul_overflow(count, size, &total)) {
    if (void* block = file_memory::take(total, &zeroed)) {
      return zeroed ? block : std::memset(block, 0, total);
    }
  }
  return heap.allocate_zeroed(heap.context, count, size);
}

void release(void*, void* block, std::size_t size) {
  if (block != nullptr && file_memory::give_back(block)) return;
  heap.free(heap.context, block, size);
}

void* reallocate(void*, void* block, std::size_t size) {
  const std::size_t before = block == nullptr ? 0 : file_memory::size_of(block);
  if (before == 0) return heap.reallocate(heap.context, block, size);
  void* moved = allocate(nullptr, size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, before < size ? before : size);
  file_memory::give_back(block);
  return moved;
}

Handler handler = {"gilscope", kVersion, {nullptr, allocate, allocate_zeroed, reallocate, release}};

// numpy's table of functions, or null with an error.
void** numpy_functions() {
  PyObject* module = PyImport_ImportModule("numpy._core._multiarray_umath");
  if (module == nullptr) return nullptr;
  PyObject* capsule = PyObject_GetAttrString(module, "_ARRAY_API");
  Py_DECREF(module);
  if (capsule == nullptr) return nullptr;
  auto** table = static_cast<void**>(PyCapsule_GetPointer(capsule, nullptr));
  Py_DECREF(capsule);
  return table;
}

// begin(folder, large, medium, heap, anonymous, resident, files): the handler that was there
// before.
PyObject* begin(PyObject*, PyObject* arguments) {
  const char* folder = nullptr;
  Py_ssize_t large = 0, medium = 0, most_heap = 0, anonymous = 0, resident = 0, files = 0;
  if (!PyArg_ParseTuple(arguments, "snnnnnn", &folder, &large, &medium, &most_heap, &anonymous,
                        &resident, &files)) {
    return nullptr;
  }
  void** table = numpy_functions();
  if (table == nullptr) return nullptr;
  PyObject* before = reinterpret_cast<PyObject* (*)()>(table[kGetHandler])();
  if (before == nullptr) return nullptr;
  const auto* old = static_cast<const Handler*>(PyCapsule_GetPointer(before, kCapsule));
  if (old == nullptr || old->version != kVersion) {
    Py_DECREF(before);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "numpy's memory is of another form");
    return nullptr;
  }
  const file_memory::Limits limits{
      static_cast<std::size_t>(large),     static_cast<std::size_t>(medium),
      static_cast<std::size_t>(most_heap), static_cast<std::size_t>(anonymous),
      static_cast<std::size_t>(resident),  static_cast<std::size_t>(files)};
  // Set once: arrays that were made under it are freed by it, whenever that is.
  if (heap.allocate == nullptr) heap = old->allocator;
  PyObject* capsule = PyCapsule_New(&handler, kCapsule, nullptr);
  if (capsule == nullptr || !file_memory::start(folder, limits)) {
    Py_XDECREF(capsule);
    Py_DECREF(before);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "memory is being limited already");
    return nullptr;
  }
  PyObject* replaced = reinterpret_cast<PyObject* (*)(PyObject*)>(table[kSetHandler])(capsule);
  Py_DECREF(capsule);
  if (replaced == nullptr) {
    file_memory::stop();
    Py_DECREF(before);
    return nullptr;
  }
  Py_DECREF(replaced);
  return before;
}

// end(before): that handler is back.
PyObject* end(PyObject*, PyObject* before) {
  Py_BEGIN_ALLOW_THREADS;
  file_memory::stop();
  Py_END_ALLOW_THREADS;
  void** table = numpy_functions();
  if (table == nullptr) return nullptr;
  PyObject* ours = reinterpret_cast<PyObject* (*)(PyObject*)>(table[kSetHandler])(before);
  if (ours == nullptr) return nullptr;
  Py_DECREF(ours);
  Py_RETURN_NONE;
}

PyObject* figures(PyObject*, PyObject*) {
  const file_memory::Figures now = file_memory::figures();
  return Py_BuildValue("(nnn)", static_cast<Py_ssize_t>(now.in_files),
                       static_cast<Py_ssize_t>(now.most_in_files),
                       static_cast<Py_ssize_t>(now.refused));
}

PyMethodDef functions[] = {
    {"begin", begin, METH_VARARGS, "Let numpy take large arrays from files in a folder."},
    {"end", end, METH_O, "Give numpy back its own memory."},
    {"figures", figures, METH_NOARGS, "Bytes in files now, the most, and those refused."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_file_memory",
                          "Large arrays in files.",
                          0,
                          functions,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace gilscope

// NOLINTNEXTLINE(readability-identifier-naming): the interpreter looks for this name
extern "C" __attribute__((visibility("default"))) PyObject* PyInit__file_memory(void) {
  return PyModuleDef_Init(&gilscope::definition);
}
