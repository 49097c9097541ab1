// cflags: -fopenmp
#include <pybind11/pybind11.h>

#include <vector>

namespace py = pybind11;

// A matrix product as libraries have it: without the GIL, on as many threads as OpenMP gives it.
static double product(int size, int times) {
  py::gil_scoped_release release;
  std::vector<double> a(size * size, 1.5), b(size * size, 0.5), c(size * size);
  for (int time = 0; time < times; ++time) {
#pragma omp parallel for
    for (int i = 0; i < size; ++i) {
      for (int j = 0; j < size; ++j) {
        double sum = 0;
        for (int k = 0; k < size; ++k) sum += a[i * size + k] * b[k * size + j];
        c[i * size + j] = sum;
      }
    }
  }
  return c[0];
}

PYBIND11_MODULE(product, module, py::mod_gil_not_used()) { module.def("product", product); }
