/* A library that enters Python by itself. */
#include <Python.h>

__attribute__((visibility("default"))) void entering_enter(int times) {
  for (int i = 0; i < times; ++i) {
    const PyGILState_STATE state = PyGILState_Ensure();
    PyGILState_Release(state);
  }
}
