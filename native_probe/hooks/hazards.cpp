#include "hooks/hazards.hpp"

#include <Python.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cpython/stack.hpp"

namespace gilscope::hooks::hazards {
namespace {

using format::HazardKind;

// One kind of hazard by one call in native code.
struct Place {
  std::atomic<std::uint64_t> key{0};
  std::atomic<std::uint64_t> count{0};
  std::atomic<bool> defined{false};
  format::HazardBody body{};
};
constexpr std::size_t kPlaces = 256;  // more calls than that are not counted
Place places[kPlaces];

Place* place_of(HazardKind kind, const void* caller) {
  const std::uint64_t key =
      mix(reinterpret_cast<std::uint64_t>(caller) ^ static_cast<std::uint64_t>(kind) << 56) | 1;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    Place& place = places[(key + i) % kPlaces];
    std::uint64_t seen = place.key.load(std::memory_order_relaxed);
    if (seen == key) return &place;
    if (seen != 0) continue;
    if (place.key.compare_exchange_strong(seen, key, std::memory_order_relaxed) || seen == key) {
      return &place;
    }
  }
  return nullptr;
}

void define(Session& session, const format::HazardBody& body) { session.file().define(body); }

bool is_attached() { return PyThreadState_GetUnchecked() != nullptr; }

// The counts of objects that live for ever never change.
bool changes(PyObject* object) { return object != nullptr && !_Py_IsImmortal(object); }

// --- The hooks. What is forbidden is looked at by a function of its own, to which a hook jumps:
// the frame that it takes the address of is then called by the native code, and the hook itself has
// none.

#define GILSCOPE_HOOK(hook, result, function, said, condition, parameters, arguments) \
  __attribute__((noinline, cold)) result hook##_found parameters {                    \
    if (condition) found(HazardKind::not_attached, said, __builtin_frame_address(0)); \
    return function arguments;                                                        \
  }                                                                                   \
  result hook parameters {                                                            \
    if (__builtin_expect(!is_attached(), 0)) return hook##_found arguments;           \
    return function arguments;                                                        \
  }

GILSCOPE_HOOK(inc_ref, void, Py_IncRef, "Py_IncRef", changes(object), (PyObject * object), (object))
GILSCOPE_HOOK(dec_ref, void, Py_DecRef, "Py_DecRef", changes(object), (PyObject * object), (object))
GILSCOPE_HOOK(dealloc, void, _Py_Dealloc, "Py_DECREF", true, (PyObject * object), (object))

#ifdef Py_GIL_DISABLED
// What Py_DECREF comes to where another thread owns the object, and where the owner's last
// reference goes.
GILSCOPE_HOOK(dec_ref_shared, void, _Py_DecRefShared, "Py_DECREF", true, (PyObject * object),
              (object))
GILSCOPE_HOOK(merge_references, void, _Py_MergeZeroLocalRefcount, "Py_DECREF", true,
              (PyObject * object), (object))
#endif

GILSCOPE_HOOK(get_attribute, PyObject*, PyObject_GetAttr, "PyObject_GetAttr", true,
              (PyObject * object, PyObject* name), (object, name))
GILSCOPE_HOOK(get_attribute_named, PyObject*, PyObject_GetAttrString, "PyObject_GetAttrString",
              true, (PyObject * object, const char* name), (object, name))
GILSCOPE_HOOK(set_attribute, int, PyObject_SetAttr, "PyObject_SetAttr", true,
              (PyObject * object, PyObject* name, PyObject* value), (object, name, value))
GILSCOPE_HOOK(set_attribute_named, int, PyObject_SetAttrString, "PyObject_SetAttrString", true,
              (PyObject * object, const char* name, PyObject* value), (object, name, value))
GILSCOPE_HOOK(append, int, PyList_Append, "PyList_Append", true, (PyObject * list, PyObject* item),
              (list, item))
GILSCOPE_HOOK(set_item, int, PyDict_SetItem, "PyDict_SetItem", true,
              (PyObject * dict, PyObject* key, PyObject* value), (dict, key, value))
GILSCOPE_HOOK(set_item_named, int, PyDict_SetItemString, "PyDict_SetItemString", true,
              (PyObject * dict, const char* key, PyObject* value), (dict, key, value))

#undef GILSCOPE_HOOK

template <typename Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

void found(HazardKind kind, const char* function, const void* frame) {
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (recording) found(recording, kind, function, frame);
}

void found(Recording& recording, HazardKind kind, const char* function, const void* frame) {
  // Where native code goes on after the call.
  Place* place = place_of(kind, static_cast<const void* const*>(frame)[1]);
  if (place == nullptr || place->count.fetch_add(1, std::memory_order_relaxed) != 0) return;
  Session& session = recording.session();
  place->body = {static_cast<std::uint32_t>(kind), recording.log().tid,
                 stack::capture(recording, frame), session.string(function), 1};
  define(session, place->body);
  place->defined.store(true, std::memory_order_release);
}

std::vector<Hook> hooks() {
  return {
      {"Py_IncRef", address(inc_ref)},
      {"Py_DecRef", address(dec_ref)},
      {"_Py_Dealloc", address(dealloc)},
#ifdef Py_GIL_DISABLED
      {"_Py_DecRefShared", address(dec_ref_shared)},
      {"_Py_MergeZeroLocalRefcount", address(merge_references)},
#endif
      {"PyObject_GetAttr", address(get_attribute)},
      {"PyObject_GetAttrString", address(get_attribute_named)},
      {"PyObject_SetAttr", address(set_attribute)},
      {"PyObject_SetAttrString", address(set_attribute_named)},
      {"PyList_Append", address(append)},
      {"PyDict_SetItem", address(set_item)},
      {"PyDict_SetItemString", address(set_item_named)},
  };
}

void begin_session() {
  for (Place& place : places) {
    place.key = 0;
    place.count = 0;
    place.defined = false;
  }
}

void define_counts(Session& session) {
  for (const Place& place : places) {
    const std::uint64_t count = place.count.load(std::memory_order_relaxed);
    if (count < 2 || !place.defined.load(std::memory_order_acquire)) continue;
    format::HazardBody body = place.body;
    body.count = count;
    define(session, body);
  }
}

}  // namespace gilscope::hooks::hazards
