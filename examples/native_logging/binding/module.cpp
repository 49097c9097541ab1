#include <pybind11/native_enum.h>
#include <pybind11/pybind11.h>
#include <pybind11/trampoline_self_life_support.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "native_logging/logger.hpp"
#include "native_logging/mandelbrot.hpp"

namespace py = pybind11;
using native_logging::Level;
using native_logging::Logger;
using native_logging::Record;

namespace {

/// Sends the virtual calls of the library to the methods of a Python subclass.
class PythonLogger : public Logger, public py::trampoline_self_life_support {
 public:
  void run_worker(const std::function<void()>& work) override {
    // A native thread gets its Python thread state here, once. Otherwise each record would
    // make one and throw it away, which a free-threaded build pays for with a heap each time.
    py::gil_scoped_acquire thread_state;
    py::gil_scoped_release detached;
    work();
  }

  void log(Level level, const std::string& message) override {
    PYBIND11_OVERRIDE_PURE(void, Logger, log, level, message);
  }

  void log_batch(const std::vector<Record>& records) override {
    // Held around all the calls of log, each of which then finds it taken.
    py::gil_scoped_acquire gil;
    Logger::log_batch(records);
  }
};

std::uint64_t render(Logger& logger, std::size_t rows, std::size_t columns, unsigned limit,
                     std::size_t threads, std::size_t batch) {
  // Without this, the workers would wait for the GIL of a caller that waits for the workers.
  py::gil_scoped_release release;
  return native_logging::render({rows, columns, limit, threads, batch}, logger);
}

}  // namespace

PYBIND11_MODULE(native_logging, m, py::mod_gil_not_used()) {
  m.doc() = "A native library whose worker threads log while they compute.";
  py::native_enum<Level>(m, "Level", "enum.IntEnum", "Severities, numbered as in logging.")
      .value("DEBUG", Level::debug)
      .value("INFO", Level::info)
      .value("WARNING", Level::warning)
      .value("ERROR", Level::error)
      .finalize();
  py::classh<Logger, PythonLogger>(
      m, "Logger", "Where log records go: derive from it and override log(level, message).")
      .def(py::init<>())
      .def("log", &Logger::log, py::arg("level"), py::arg("message"),
           "Take one record. Native threads call it, several at a time.");
  m.def("render", &render, py::arg("logger"), py::arg("rows"), py::arg("columns"),
        py::arg("limit") = 200, py::arg("threads") = 4, py::arg("batch") = 1,
        "Compute an image of the Mandelbrot set on native threads, which log a record a row.\n\n"
        "Returns the iterations of all points. With batch > 1 a thread keeps its records until\n"
        "there are that many and takes the GIL once for them. What the logger raises is raised\n"
        "here, and the threads stop.");
}
