// Native threads that call Python: for each result, or once for all of them.
#include <pybind11/pybind11.h>

#include <thread>
#include <vector>

namespace py = pybind11;

static void call_each(int threads, int count, const py::object& callback) {
  const py::gil_scoped_release released;
  std::vector<std::thread> crowd;
  for (int thread = 0; thread < threads; ++thread) {
    crowd.emplace_back([&] {
      for (int i = 0; i < count; ++i) {
        const py::gil_scoped_acquire acquired;
        callback(1);
      }
    });
  }
  for (std::thread& one : crowd) one.join();
}

static void call_at_end(int threads, int count, const py::object& callback) {
  std::vector<int> results(threads, 0);
  {
    const py::gil_scoped_release released;
    std::vector<std::thread> crowd;
    for (int thread = 0; thread < threads; ++thread) {
      crowd.emplace_back([&, thread] { results[thread] = count; });
    }
    for (std::thread& one : crowd) one.join();
  }
  for (const int result : results) {
    for (int i = 0; i < result; ++i) callback(1);
  }
}

PYBIND11_MODULE(crowd, module, py::mod_gil_not_used()) {
  module.def("call_each", call_each);
  module.def("call_at_end", call_at_end);
}
