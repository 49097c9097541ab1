// A receiver of frames: it waits for the next one, up to a time-out.
#include <pybind11/pybind11.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace py = pybind11;

struct Receiver {
  std::mutex mutex_;
  std::condition_variable arrived_;
  bool receive(int ms) {
    std::unique_lock<std::mutex> lock(mutex_);
    return arrived_.wait_for(lock, std::chrono::milliseconds(ms)) == std::cv_status::no_timeout;
  }
  bool receive_politely(int ms) {
    const py::gil_scoped_release released;
    return receive(ms);
  }
};

PYBIND11_MODULE(ndi, module, py::mod_gil_not_used()) {
  py::class_<Receiver>(module, "Receiver")
      .def(py::init<>())
      .def("receive", &Receiver::receive)
      .def("receive_politely", &Receiver::receive_politely);
}
