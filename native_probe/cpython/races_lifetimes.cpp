#include "cpython/races_lifetimes.hpp"

#include <Python.h>

#include "cpython/races_session.hpp"

namespace gilscope::races::lifetimes {
namespace {

// Objects whose contents threads can share and change.
bool can_be_shared(const PyTypeObject* type) {
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) == 0) return false;
  return type != &PyTuple_Type && type != &PyMethod_Type && type != &PyCFunction_Type &&
         type != &PyFunction_Type && type != &PyFrame_Type;
}

// Most objects, and none that the detector knows by its address: keys of these types are known by
// their value.
bool is_plain(const PyTypeObject* type) {
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBytes_Type ||
         type == &PyFloat_Type;
}

int trace(PyObject* object, PyRefTracerEvent event, void*) {
  // 3.15 has a third event: the tracer is removed. It comes without an object.
  if (event != PyRefTracer_CREATE && event != PyRefTracer_DESTROY) return 0;
  if (is_plain(Py_TYPE(object))) return 0;
  Session* session = Session::active();
  if (session == nullptr) return 0;
  Objects& objects = session->detector().objects();
  if (event == PyRefTracer_DESTROY) {
    objects.destroyed(object);
  } else if (Session::has_threads() && can_be_shared(Py_TYPE(object))) {
    const Thread* thread = session->thread();
    if (thread != nullptr) objects.created(object, thread->slot, thread->clock);
  }
  return 0;
}

}  // namespace

bool is_taken() {
  void* data = nullptr;
  return PyRefTracer_GetTracer(&data) != nullptr;
}

void begin() { PyRefTracer_SetTracer(trace, nullptr); }

void end() {
  void* data = nullptr;
  if (PyRefTracer_GetTracer(&data) == trace) PyRefTracer_SetTracer(nullptr, nullptr);
}

}  // namespace gilscope::races::lifetimes
