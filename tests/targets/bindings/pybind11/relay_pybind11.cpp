#include <pybind11/functional.h>
#include <pybind11/pybind11.h>

#include "relay.hpp"

namespace py = pybind11;

namespace {

class PythonLogger : public relay::Logger {
 public:
  void log(int level, const std::string& text) override {
    PYBIND11_OVERRIDE_PURE(void, relay::Logger, log, level, text);
  }
};

using Released = py::call_guard<py::gil_scoped_release>;

}  // namespace

PYBIND11_MODULE(relay_pybind11, m, py::mod_gil_not_used()) {
  py::class_<relay::Logger, PythonLogger>(m, "Logger")
      .def(py::init<>())
      .def("log", &relay::Logger::log);
  m.def("forward", &relay::forward, Released());
  m.def("forward_from_threads", &relay::forward_from_threads, Released());
  m.def("log_from_threads", &relay::log_from_threads, Released());
  m.def("compute", &relay::compute, Released());
  m.def("contend", &relay::contend, Released());
}
