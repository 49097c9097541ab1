// A plugin host: its mutex is kept while a plugin's Python code runs.
#include <pybind11/pybind11.h>
#include <chrono>
#include <mutex>
#include <thread>
namespace py = pybind11;

struct Modules {
  int served = 0;
  std::mutex mutex_;
  void notify(const py::object &f, bool polite) {
    if (polite) {
      { std::lock_guard<std::mutex> lock(mutex_); ++served; }
      py::gil_scoped_acquire gil;
      f();
    } else {
      std::lock_guard<std::mutex> lock(mutex_);
      ++served;
      py::gil_scoped_acquire gil;  // waits for the GIL with the mutex
      f();
    }
  }
  void run(const py::object &f, bool polite) {
    py::gil_scoped_release released;
    auto loop = [&] {
      for (int i = 0; i < 100; ++i) {
        notify(f, polite);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
    };
    std::thread one(loop), two(loop);
    one.join();
    two.join();
  }
};
PYBIND11_MODULE(modules, m, py::mod_gil_not_used()) {
  py::class_<Modules>(m, "Modules").def(py::init<>()).def("run", &Modules::run);
}
