// A pool whose threads compute with the mutex of its results.
#include <pybind11/pybind11.h>
#include <mutex>
#include <thread>
#include <vector>
namespace py = pybind11;

struct Pool {
  std::vector<double> done_;
  std::mutex m_;
  static double compute(int n) {
    double x = n;
    for (int i = 0; i < 100000; ++i) x = x * 0.999 + 1;
    return x;
  }
  void work(bool polite) {
    for (int i = 0; i < 100; ++i) {
      const double early = polite ? compute(i) : 0;
      std::lock_guard<std::mutex> guard(m_);
      done_.push_back(polite ? early : compute(i));
    }
  }
  void run(bool polite) {
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i) all.emplace_back([this, polite] { work(polite); });
    for (auto &thread : all) thread.join();
  }
};
PYBIND11_MODULE(pool, m, py::mod_gil_not_used()) {
  py::class_<Pool>(m, "Pool").def(py::init<>()).def(
      "run", &Pool::run, py::call_guard<py::gil_scoped_release>());
}
