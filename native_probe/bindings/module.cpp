// The Python module gilscope._probe. Registration only: what it does stands in probe.cpp.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cerrno>
#include <exception>
#include <system_error>

#include "bindings/probe.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_probe, module, py::mod_gil_not_used()) {
  module.doc() = "The native half of gilscope: hooks, and the trace file that they write.";
  py::register_exception<gilscope::ProbeFailure>(module, "Failure", PyExc_RuntimeError);
  // NOLINTNEXTLINE(performance-unnecessary-value-param): pybind11 prescribes the signature.
  py::register_exception_translator([](std::exception_ptr raised) {
    try {
      if (raised) std::rethrow_exception(raised);
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
    }
  });
  module.def("start", &gilscope::start, py::arg("path"), py::arg("max_bytes"), py::arg("metadata"),
             py::arg("threads"), py::arg("ring") = false, py::arg("session") = py::bytes(),
             py::arg("native_locks") = true);
  module.def("stop", &gilscope::stop, py::arg("names"), py::arg("reason"));
  module.def("running", &gilscope::running);
  module.def("snapshot", &gilscope::snapshot, py::arg("path"));
  module.def("before_fork", &gilscope::before_fork);
  module.def("after_fork_in_parent", &gilscope::after_fork_in_parent);
  module.def("self_test", &gilscope::self_test);
  module.def("hooks", &gilscope::hook_report);
  module.def("begin_span", &gilscope::begin_span);
  module.def("end_span", &gilscope::end_span, py::arg("name"), py::arg("start"), py::arg("bytes"));
  module.def("name_thread", &gilscope::name_thread, py::arg("name"));
}
