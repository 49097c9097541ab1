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

void define(Session& session, const format::HazardBody& body) {
  session.file().define(format::DefinitionTag::hazard, &body, sizeof body);
}

__attribute__((noinline, cold)) void found_here(const char* function, const void* frame) {
  found(HazardKind::not_attached, function, frame);
}

bool is_attached() { return PyThreadState_GetUnchecked() != nullptr; }

// The counts of objects that live for ever never change.
bool changes(PyObject* object) { return object != nullptr && !_Py_IsImmortal(object); }

// --- The hooks. The frame address is taken in the function that native code calls. --------------

#define GILSCOPE_LOOK(function, condition)                  \
  if (__builtin_expect(!is_attached(), 0) && (condition)) { \
    found_here(function, __builtin_frame_address(0));       \
  }

void inc_ref(PyObject* object) {
  GILSCOPE_LOOK("Py_IncRef", changes(object))
  Py_IncRef(object);
}

void dec_ref(PyObject* object) {
  GILSCOPE_LOOK("Py_DecRef", changes(object))
  Py_DecRef(object);
}

void dealloc(PyObject* object) {
  GILSCOPE_LOOK("Py_DECREF", true)
  _Py_Dealloc(object);
}

#ifdef Py_GIL_DISABLED
// What Py_DECREF comes to where another thread owns the object, and where the owner's last
// reference goes.
void dec_ref_shared(PyObject* object) {
  GILSCOPE_LOOK("Py_DECREF", true)
  _Py_DecRefShared(object);
}

void merge_references(PyObject* object) {
  GILSCOPE_LOOK("Py_DECREF", true)
  _Py_MergeZeroLocalRefcount(object);
}
#endif

PyObject* get_attribute(PyObject* object, PyObject* name) {
  GILSCOPE_LOOK("PyObject_GetAttr", true)
  return PyObject_GetAttr(object, name);
}

PyObject* get_attribute_named(PyObject* object, const char* name) {
  GILSCOPE_LOOK("PyObject_GetAttrString", true)
  return PyObject_GetAttrString(object, name);
}

int set_attribute(PyObject* object, PyObject* name, PyObject* value) {
  GILSCOPE_LOOK("PyObject_SetAttr", true)
  return PyObject_SetAttr(object, name, value);
}

int set_attribute_named(PyObject* object, const char* name, PyObject* value) {
  GILSCOPE_LOOK("PyObject_SetAttrString", true)
  return PyObject_SetAttrString(object, name, value);
}

int append(PyObject* list, PyObject* item) {
  GILSCOPE_LOOK("PyList_Append", true)
  return PyList_Append(list, item);
}

int set_item(PyObject* dict, PyObject* key, PyObject* value) {
  GILSCOPE_LOOK("PyDict_SetItem", true)
  return PyDict_SetItem(dict, key, value);
}

int set_item_named(PyObject* dict, const char* key, PyObject* value) {
  GILSCOPE_LOOK("PyDict_SetItemString", true)
  return PyDict_SetItemString(dict, key, value);
}

#undef GILSCOPE_LOOK

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
