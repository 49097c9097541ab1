#include <pybind11/pybind11.h>

#include <chrono>
#include <ctime>

namespace py = pybind11;

static double spin(double seconds) {
  double sum = 0;
  timespec now{}, begin{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  do {
    for (int i = 1; i < 10000; ++i) sum += 1.0 / i;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while (now.tv_sec - begin.tv_sec + 1e-9 * (now.tv_nsec - begin.tv_nsec) < seconds);
  return sum;
}

// A fused kernel that touches no Python object.
static double layer_norm(double seconds) { return spin(seconds); }

static double polite_layer_norm(double seconds) {
  py::gil_scoped_release release;
  return spin(seconds);
}

PYBIND11_MODULE(fused, module, py::mod_gil_not_used()) {
  module.def("layer_norm", layer_norm);
  module.def("polite_layer_norm", polite_layer_norm);
}
