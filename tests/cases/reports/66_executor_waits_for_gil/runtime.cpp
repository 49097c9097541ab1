// The executor of an asynchronous runtime: its threads also run tasks that need no Python.
#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>
#include <vector>
namespace py = pybind11;

static void run_tasks(int threads, int tasks, const py::object& callback) {
  const py::gil_scoped_release released;
  std::vector<std::thread> executor;
  for (int i = 0; i < threads; ++i) {
    executor.emplace_back([&, i] {
      for (int task = 0; task < tasks; ++task) {
        std::this_thread::sleep_for(std::chrono::microseconds(500));
        const py::gil_scoped_acquire gil;
        callback(i);
      }
    });
  }
  for (std::thread& thread : executor) thread.join();
}

PYBIND11_MODULE(runtime, m, py::mod_gil_not_used()) { m.def("run_tasks", run_tasks); }
