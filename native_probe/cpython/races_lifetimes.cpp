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

int trace(PyObject* object, PyRefTracerEvent event, void*) {
  Session* session = Session::active();
  if (session == nullptr) return 0;
  Objects& objects = session->detector().objects();
  if (event == PyRefTracer_DESTROY) {
    objects.destroyed(object);
  } else if (can_be_shared(Py_TYPE(object))) {
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
