// Callbacks run in a native thread, with the GIL; their last reference goes after it was released.
#include <pybind11/pybind11.h>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>
namespace py = pybind11;

struct Calls {
  std::mutex mutex;
  std::vector<py::object> pending;
  void run(bool polite) {
    std::vector<py::object> mine;
    {
      std::lock_guard<std::mutex> lock(mutex);
      mine.swap(pending);
    }
    py::gil_scoped_acquire gil;
    for (auto &call : mine) call();
    if (polite) mine.clear();
  }  // the GIL goes first, then the vector
};
static Calls calls;

PYBIND11_MODULE(queue_of_calls, m, py::mod_gil_not_used()) {
  m.def("add", [](py::object f) {
    std::lock_guard<std::mutex> lock(calls.mutex);
    calls.pending.push_back(std::move(f));
  });
  m.def("run", [](bool polite) {
    py::gil_scoped_release released;
    std::thread([polite] { calls.run(polite); }).join();
  });
}
