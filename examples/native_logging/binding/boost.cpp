// The same binding as module.cpp, with Boost.Python, which leaves threads and the GIL to its users.
#include <boost/python.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "native_logging/logger.hpp"
#include "native_logging/mandelbrot.hpp"

namespace bp = boost::python;
using native_logging::Level;
using native_logging::Logger;
using native_logging::Record;

namespace {

class Attached {
 public:
  Attached() : state_(PyGILState_Ensure()) {}
  ~Attached() { PyGILState_Release(state_); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  PyGILState_STATE state_;
};

class Detached {
 public:
  Detached() : state_(PyEval_SaveThread()) {}
  ~Detached() { PyEval_RestoreThread(state_); }
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

 private:
  PyThreadState* state_;
};

/// A Python exception on its way from one thread to another.
class PythonError : public std::runtime_error {
 public:
  /// Takes what is raised in the calling thread, which holds the GIL.
  PythonError()
      : std::runtime_error("a Python exception"), raised_(PyErr_GetRaisedException(), &release) {}

  /// Raises it in the calling thread, which holds the GIL.
  void restore() const { PyErr_SetRaisedException(Py_XNewRef(raised_.get())); }

 private:
  static void release(PyObject* raised) {
    const Attached attached;
    Py_XDECREF(raised);
  }

  std::shared_ptr<PyObject> raised_;
};

/// Sends the virtual calls of the library to the methods of a Python subclass.
class PythonLogger : public Logger, public bp::wrapper<Logger> {
 public:
  void run_worker(const std::function<void()>& work) override {
    // A native thread gets its Python thread state here, once, and not for each record.
    const Attached thread_state;
    const Detached detached;
    work();
  }

  void log(Level level, const std::string& message) override {
    const Attached attached;
    const bp::override method = get_override("log");
    if (!method) throw std::runtime_error("call of the pure virtual function \"Logger::log\"");
    try {
      // As a plain number: Boost.Python looks up each member of an enumeration in a Python dict.
      method(static_cast<int>(level), message);
    } catch (const bp::error_already_set&) {
      throw PythonError();
    }
  }

  void log_batch(const std::vector<Record>& records) override {
    // Held around all the calls of log, each of which then finds it taken.
    const Attached attached;
    Logger::log_batch(records);
  }
};

std::uint64_t render(PythonLogger& logger, std::size_t rows, std::size_t columns, unsigned limit,
                     std::size_t threads, std::size_t batch) {
  // Without this, the workers would wait for the GIL of a caller that waits for the workers.
  const Detached detached;
  return native_logging::render({rows, columns, limit, threads, batch}, logger);
}

}  // namespace

BOOST_PYTHON_MODULE(native_logging_boost) {
  bp::register_exception_translator<PythonError>([](const PythonError& error) { error.restore(); });
  bp::register_exception_translator<std::invalid_argument>(
      [](const std::invalid_argument& error) { PyErr_SetString(PyExc_ValueError, error.what()); });
  bp::enum_<Level>("Level")
      .value("DEBUG", Level::debug)
      .value("INFO", Level::info)
      .value("WARNING", Level::warning)
      .value("ERROR", Level::error);
  bp::class_<PythonLogger, boost::noncopyable>(
      "Logger", "Where log records go: derive from it and override log(level, message).")
      .def("log", bp::pure_virtual(&Logger::log), (bp::arg("level"), bp::arg("message")));
  bp::def("render", render,
          (bp::arg("logger"), bp::arg("rows"), bp::arg("columns"), bp::arg("limit") = 200,
           bp::arg("threads") = 4, bp::arg("batch") = 1),
          "As the function of the same name of native_logging.");
}
