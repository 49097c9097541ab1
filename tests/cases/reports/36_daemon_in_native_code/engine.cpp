// A call that gives the GIL up by a guard object: the guard's destructor wants it back.
#include <pybind11/pybind11.h>
#include <chrono>
#include <thread>
namespace py = pybind11;

static void compute() {
  py::gil_scoped_release released;
  std::this_thread::sleep_for(std::chrono::microseconds(300));
}
PYBIND11_MODULE(engine, m, py::mod_gil_not_used()) { m.def("compute", &compute); }
