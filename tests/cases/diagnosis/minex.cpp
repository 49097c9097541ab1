// An extension as programs have it: a pool of native threads that call Python for each tile, and a
// function that computes with the GIL held. Compiled by the tests for each interpreter.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<std::uint64_t> sink{0};

__attribute__((noinline)) std::uint64_t mix_for(std::chrono::microseconds time) {
  std::uint64_t sum = 0x9E3779B97F4A7C15u;
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
    for (int i = 0; i < 1000; ++i) sum = (sum ^ static_cast<std::uint64_t>(i)) * 0x100000001B3u;
  }
  return sum;
}

struct Pool {
  std::vector<std::thread> threads;
  std::atomic<bool> quit{false};
  PyObject* tile_done = nullptr;

  void work() {
    for (long tile = 0; !quit; ++tile) {
      sink += mix_for(std::chrono::microseconds(1500));
      const PyGILState_STATE state = PyGILState_Ensure();
      PyObject* result = PyObject_CallFunction(tile_done, "l", tile);
      if (result == nullptr) PyErr_Print();
      Py_XDECREF(result);
      PyGILState_Release(state);
    }
  }
} pool;

PyObject* start(PyObject*, PyObject* args) {
  long threads = 0;
  if (PyArg_ParseTuple(args, "lO", &threads, &pool.tile_done) == 0) return nullptr;
  Py_INCREF(pool.tile_done);
  pool.quit = false;
  for (long i = 0; i < threads; ++i) pool.threads.emplace_back(&Pool::work, &pool);
  Py_RETURN_NONE;
}

PyObject* stop(PyObject*, PyObject*) {
  pool.quit = true;
  Py_BEGIN_ALLOW_THREADS for (std::thread& thread : pool.threads) thread.join();
  Py_END_ALLOW_THREADS pool.threads.clear();
  Py_CLEAR(pool.tile_done);
  Py_RETURN_NONE;
}

// checksum(ms): keeps the GIL.
PyObject* checksum(PyObject*, PyObject* ms) {
  sink += mix_for(std::chrono::milliseconds(PyLong_AsLong(ms)));
  Py_RETURN_NONE;
}

// polite_checksum(ms): the same, repaired.
PyObject* polite_checksum(PyObject*, PyObject* ms) {
  const long time = PyLong_AsLong(ms);
  Py_BEGIN_ALLOW_THREADS sink += mix_for(std::chrono::milliseconds(time));
  Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"start", start, METH_VARARGS, nullptr},
                         {"stop", stop, METH_NOARGS, nullptr},
                         {"checksum", checksum, METH_O, nullptr},
                         {"polite_checksum", polite_checksum, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr}};

PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "minex", nullptr, 0, methods, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_minex() { return PyModuleDef_Init(&module); }
