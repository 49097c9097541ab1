#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parallel_eval/evaluator.hpp"
#include "parallel_eval/lyapunov.hpp"

namespace py = pybind11;
using parallel_eval::Batch;
using parallel_eval::Evaluator;

namespace {

/// Calls `callback(index, output)` for each output.
class PythonObserver : public parallel_eval::Observer {
 public:
  /// Keeps a reference to `callback`, whose count only a holder of the GIL may change.
  explicit PythonObserver(const py::function& callback) : callback_(callback) {}

  void run_thread(const std::function<void()>& work) override {
    // A native thread gets its Python thread state here, once. Otherwise each callback would
    // make one and throw it away, which a free-threaded build pays for with a heap each time.
    py::gil_scoped_acquire thread_state;
    py::gil_scoped_release detached;
    work();
  }

  void on_batch(const Batch& batch) override {
    // Once for all the outputs of the batch.
    py::gil_scoped_acquire gil;
    for (std::size_t i = 0; i < batch.count; ++i) callback_(batch.first + i, batch.outputs[i]);
  }

 private:
  const py::function& callback_;
};

std::vector<double> lyapunov_map(Evaluator& evaluator, const std::vector<double>& inputs,
                                 std::size_t steps, const std::optional<py::function>& callback,
                                 std::size_t batch) {
  std::optional<PythonObserver> observer;
  if (callback) observer.emplace(*callback);
  // Without this, the threads would wait for the GIL of a caller that waits for the threads.
  py::gil_scoped_release release;
  return evaluator.map([steps](double r) { return parallel_eval::lyapunov_exponent(r, steps); },
                       inputs, batch, observer ? &*observer : nullptr);
}

}  // namespace

PYBIND11_MODULE(parallel_eval, m, py::mod_gil_not_used()) {
  m.doc() = "Maps a native function over many inputs on a pool of native threads.";
  m.def("lyapunov_exponent", &parallel_eval::lyapunov_exponent, py::arg("r"), py::arg("steps"),
        "Lyapunov exponent of the logistic map for r, in bits per step.");
  // Its end joins the threads, and whoever listens to the end of threads may want the GIL there.
  py::class_<Evaluator>(m, "Evaluator", "A pool of native threads that evaluates inputs.",
                        py::release_gil_before_calling_cpp_dtor())
      .def(py::init<std::size_t, const std::string&>(), py::arg("threads"),
           py::arg("name") = "eval")
      .def_property_readonly("threads", &Evaluator::threads)
      .def("lyapunov_map", &lyapunov_map, py::arg("inputs"), py::arg("steps") = 1000,
           py::arg("callback") = py::none(), py::arg("batch") = 1,
           "The Lyapunov exponent for every input, in order.\n\n"
           "callback(index, output) runs on the thread that made the output. The GIL is taken\n"
           "once for `batch` outputs. What it raises is raised here, and the threads stop.");
}
