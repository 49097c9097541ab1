// Native locks for the programs beside: each function does one thing with them.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <link.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace {

std::mutex first;
std::mutex second;
std::mutex third;

PyObject* lock_with_gil(PyObject*, PyObject*) {
  const std::lock_guard<std::mutex> guard(first);
  Py_RETURN_NONE;
}

PyObject* lock_without_gil(PyObject*, PyObject*) {
  PyThreadState* state = PyEval_SaveThread();
  {
    const std::lock_guard<std::mutex> guard(first);
  }
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

PyObject* gil_with_lock(PyObject*, PyObject*) {
  PyThreadState* state = PyEval_SaveThread();
  first.lock();
  PyEval_RestoreThread(state);
  first.unlock();
  Py_RETURN_NONE;
}

PyObject* call_with_lock(PyObject*, PyObject* function) {
  PyThreadState* state = PyEval_SaveThread();
  first.lock();
  const PyGILState_STATE mine = PyGILState_Ensure();
  PyObject* result = PyObject_CallNoArgs(function);
  PyGILState_Release(mine);
  first.unlock();
  PyEval_RestoreThread(state);
  return result;
}

PyObject* call_with_third(PyObject*, PyObject* function) {
  PyThreadState* state = PyEval_SaveThread();
  third.lock();
  const PyGILState_STATE mine = PyGILState_Ensure();
  PyObject* result = PyObject_CallNoArgs(function);
  PyGILState_Release(mine);
  third.unlock();
  PyEval_RestoreThread(state);
  return result;
}

PyObject* third_without_gil(PyObject*, PyObject*) {
  PyThreadState* state = PyEval_SaveThread();
  {
    const std::lock_guard<std::mutex> guard(third);
  }
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

PyObject* both(PyObject*, PyObject* number) {
  const bool is_crossed = PyLong_AsLong(number) != 0;
  PyThreadState* state = PyEval_SaveThread();
  {
    const std::lock_guard<std::mutex> one(is_crossed ? second : first);
    const std::lock_guard<std::mutex> other(is_crossed ? first : second);
  }
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

void enter() {
  const PyGILState_STATE mine = PyGILState_Ensure();
  PyGILState_Release(mine);
}

// The thread is done before it is joined, in this run.
PyObject* join_with_gil(PyObject*, PyObject* seconds) {
  const std::chrono::duration<double> pause(PyFloat_AsDouble(seconds));
  std::thread worker(enter);
  PyThreadState* state = PyEval_SaveThread();
  std::this_thread::sleep_for(pause);
  PyEval_RestoreThread(state);
  worker.join();
  Py_RETURN_NONE;
}

PyObject* join_without_gil(PyObject*, PyObject*) {
  std::thread worker(enter);
  PyThreadState* state = PyEval_SaveThread();
  worker.join();
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

// Runs Python for the first caller, which has the GIL all the time.
PyObject* table(PyObject* function) {
  static PyObject* made = PyObject_CallNoArgs(function);
  return made;
}
PyObject* static_with_gil(PyObject*, PyObject* function) { return Py_XNewRef(table(function)); }

// The same, but callers wait for the first one without the GIL.
PyObject* call_with_gil(PyObject* function) {
  const PyGILState_STATE mine = PyGILState_Ensure();
  PyObject* result = PyObject_CallNoArgs(function);
  PyGILState_Release(mine);
  return result;
}
PyObject* static_without_gil(PyObject*, PyObject* function) {
  PyThreadState* state = PyEval_SaveThread();
  static PyObject* made = call_with_gil(function);
  PyEval_RestoreThread(state);
  return Py_XNewRef(made);
}

std::once_flag flag;
PyObject* once_made = nullptr;

PyObject* once_with_gil(PyObject*, PyObject* function) {
  std::call_once(flag, [function] { once_made = PyObject_CallNoArgs(function); });
  return Py_XNewRef(once_made);
}
PyObject* once_without_gil(PyObject*, PyObject* function) {
  PyThreadState* state = PyEval_SaveThread();
  std::call_once(flag, [function] { once_made = call_with_gil(function); });
  PyEval_RestoreThread(state);
  return Py_XNewRef(once_made);
}

// Critical sections are nothing where there is a GIL: then it is held instead.
PyObject* mutex_in_section(PyObject*, PyObject* object) {
  Py_BEGIN_CRITICAL_SECTION(object);
  const std::lock_guard<std::mutex> guard(second);
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}
PyObject* section_in_mutex(PyObject*, PyObject* object) {
  const std::lock_guard<std::mutex> guard(second);
  Py_BEGIN_CRITICAL_SECTION(object);
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}
PyObject* mutex_after_section(PyObject*, PyObject* object) {
  Py_BEGIN_CRITICAL_SECTION(object);
  Py_END_CRITICAL_SECTION();
  const std::lock_guard<std::mutex> guard(second);
  Py_RETURN_NONE;
}

int count_with_gil(dl_phdr_info*, std::size_t, void*) {
  enter();
  return 0;
}
int count(dl_phdr_info*, std::size_t, void* data) {
  ++*static_cast<int*>(data);
  return 0;
}
PyObject* walk_into_python(PyObject*, PyObject*) {
  PyThreadState* state = PyEval_SaveThread();
  dl_iterate_phdr(count_with_gil, nullptr);
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}
PyObject* walk_with_gil(PyObject*, PyObject*) {
  int number = 0;
  dl_iterate_phdr(count, &number);
  return PyLong_FromLong(number);
}
PyObject* walk_without_gil(PyObject*, PyObject*) {
  int number = 0;
  PyThreadState* state = PyEval_SaveThread();
  dl_iterate_phdr(count, &number);
  PyEval_RestoreThread(state);
  return PyLong_FromLong(number);
}

// A thread that enters Python every few milliseconds, at most so often, and then stays without.
std::atomic<bool> is_stopped{false};
std::atomic<long> times_entered{0};
std::thread* pump = nullptr;
PyObject* start_pump(PyObject*, PyObject* most) {
  const long count = PyLong_AsLong(most);
  pump = new std::thread([count] {
    for (long i = 0; !is_stopped; ++i) {
      if (i < count) {
        enter();
        ++times_entered;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  Py_RETURN_NONE;
}
PyObject* await_pump(PyObject*, PyObject*) {
  PyThreadState* state = PyEval_SaveThread();
  while (times_entered == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}
PyObject* stop_pump(PyObject*, PyObject*) {
  is_stopped = true;
  PyThreadState* state = PyEval_SaveThread();
  pump->join();
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"start_pump", start_pump, METH_O, nullptr},
    {"await_pump", await_pump, METH_NOARGS, nullptr},
    {"stop_pump", stop_pump, METH_NOARGS, nullptr},
    {"static_with_gil", static_with_gil, METH_O, nullptr},
    {"static_without_gil", static_without_gil, METH_O, nullptr},
    {"once_with_gil", once_with_gil, METH_O, nullptr},
    {"once_without_gil", once_without_gil, METH_O, nullptr},
    {"mutex_in_section", mutex_in_section, METH_O, nullptr},
    {"section_in_mutex", section_in_mutex, METH_O, nullptr},
    {"mutex_after_section", mutex_after_section, METH_O, nullptr},
    {"walk_into_python", walk_into_python, METH_NOARGS, nullptr},
    {"walk_with_gil", walk_with_gil, METH_NOARGS, nullptr},
    {"walk_without_gil", walk_without_gil, METH_NOARGS, nullptr},
    {"lock_with_gil", lock_with_gil, METH_NOARGS, nullptr},
    {"lock_without_gil", lock_without_gil, METH_NOARGS, nullptr},
    {"gil_with_lock", gil_with_lock, METH_NOARGS, nullptr},
    {"call_with_lock", call_with_lock, METH_O, nullptr},
    {"call_with_third", call_with_third, METH_O, nullptr},
    {"third_without_gil", third_without_gil, METH_NOARGS, nullptr},
    {"both", both, METH_O, nullptr},
    {"join_with_gil", join_with_gil, METH_O, nullptr},
    {"join_without_gil", join_without_gil, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "orderpool", nullptr, 0, functions, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_orderpool(void) { return PyModuleDef_Init(&definition); }
