// The Python module gilscope._probe. Registration only: what it does stands in probe.cpp.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "bindings/detached.hpp"
#include "bindings/probe.hpp"
#include "core/child_process.hpp"
#include "core/hang_report.hpp"
#include "hooks/threads.hpp"

namespace py = pybind11;

namespace {

// What a program wrote to its descriptor 3; errno where it could not be started; whether it was
// killed, after `patience` ns.
py::tuple run_program(const std::vector<std::string>& command,
                      const std::vector<std::string>& environment, std::uint64_t patience) {
  gilscope::ChildOutput output;
  gilscope::without_gil([&] { output = gilscope::output_of(command, environment, patience); });
  return py::make_tuple(py::bytes(output.text), output.error, output.timed_out);
}

// The process id of a program that was started to outlive the call, or -errno.
int start_program(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment,
                  const std::vector<int>& descriptors) {
  const py::gil_scoped_release released;
  return gilscope::start_program(command, environment, descriptors);
}

// The memory behind a descriptor, which stays mapped; None if that cannot be done.
py::object open_hang_channel(int fd, std::uint64_t size) {
  void* memory = gilscope::open_hang_channel(fd, size);
  if (memory == nullptr) return py::none();
  return py::memoryview::from_memory(memory, static_cast<py::ssize_t>(size), false);
}

// (tid, tid of the starter, address of its first function) of native threads that were started.
py::list take_started_threads() {
  py::list found;
  for (const auto& one : gilscope::hooks::threads::take_started()) {
    found.append(py::make_tuple(one.tid, one.starter, one.routine));
  }
  return found;
}

// The name of a thread of the module threading, "" where it has none that is text. As
// object.__getattribute__ finds it, without the methods of the program's own classes; what of it
// cannot be written is replaced.
std::string name_of(py::handle thread) {
  std::string name;
  PyObject* attribute = PyUnicode_InternFromString("_name");
  PyObject* found =
      attribute != nullptr ? PyObject_GenericGetAttr(thread.ptr(), attribute) : nullptr;
  PyObject* text = found != nullptr && PyUnicode_CheckExact(found)
                       ? PyUnicode_AsEncodedString(found, "utf-8", "replace")
                       : nullptr;
  if (text != nullptr) {
    name.assign(PyBytes_AS_STRING(text), static_cast<std::size_t>(PyBytes_GET_SIZE(text)));
  }
  PyErr_Clear();
  Py_XDECREF(text);
  Py_XDECREF(found);
  Py_XDECREF(attribute);
  return name;
}

// Names the calling thread, which Python started, unless it is of the class `dummy`. (What this
// takes is part of what each thread costs.)
void name_thread(py::handle thread, py::handle dummy) {
  if (PyType_Check(dummy.ptr()) &&
      PyType_IsSubtype(Py_TYPE(thread.ptr()), reinterpret_cast<PyTypeObject*>(dummy.ptr())) != 0) {
    return;
  }
  gilscope::name_thread(name_of(thread));
}

}  // namespace

// In subinterpreters, too, for their spans: nothing in here belongs to one of them.
PYBIND11_MODULE(_probe, module, py::mod_gil_not_used(),
                py::multiple_interpreters::per_interpreter_gil()) {
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
  module.def("in_main_interpreter",
             [] { return PyInterpreterState_Get() == PyInterpreterState_Main(); });
  module.def("watch_ending", &gilscope::watch_ending, py::arg("path"));
  module.def("snapshot", &gilscope::snapshot, py::arg("path"));
  module.def("counted", &gilscope::counted);
  module.def("before_fork", &gilscope::before_fork);
  module.def("after_fork_in_parent", &gilscope::after_fork_in_parent);
  module.def("self_test_state", &gilscope::self_test_state);
  module.def("test_here", &gilscope::test_here);
  module.def("adopt_self_test", &gilscope::adopt_self_test, py::arg("key"), py::arg("text"));
  module.def("lack_self_test", &gilscope::lack_self_test, py::arg("key"), py::arg("why"));
  module.def("run_program", run_program, py::arg("command"), py::arg("environment"),
             py::arg("patience"));
  module.def("start_program", start_program, py::arg("command"), py::arg("environment"),
             py::arg("descriptors"));
  module.def("open_hang_channel", open_hang_channel, py::arg("fd"), py::arg("size"));
  module.def("take_started_threads", take_started_threads);
  module.def("hooks", &gilscope::hook_report);
  module.def("begin_span", &gilscope::begin_span);
  module.def("end_span", &gilscope::end_span, py::arg("name"), py::arg("start"), py::arg("bytes"));
  module.def("name_thread", &name_thread, py::arg("thread"), py::arg("dummy"));
}
