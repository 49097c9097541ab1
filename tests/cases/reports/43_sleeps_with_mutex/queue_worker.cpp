// A worker that sleeps with the queue's mutex when the queue is empty.
#include <pybind11/pybind11.h>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
namespace py = pybind11;

struct Worker {
  std::deque<int> queue_;
  std::mutex mutex_;
  bool quit_ = false;
  void loop(bool polite) {
    for (bool idle = false;;) {
      if (idle && polite) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::lock_guard<std::mutex> lock(mutex_);
      if (quit_) return;
      idle = queue_.empty();
      if (idle && !polite) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (!idle) queue_.pop_front();
    }
  }
  void run(bool polite) {
    std::thread worker([this, polite] { loop(polite); });
    std::thread helper([this, polite] { loop(polite); });
    for (int i = 0; i < 50; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(i);
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      quit_ = true;
    }
    worker.join();
    helper.join();
  }
};
PYBIND11_MODULE(queue_worker, m, py::mod_gil_not_used()) {
  py::class_<Worker>(m, "Worker")
      .def(py::init<>())
      .def("run", &Worker::run, py::call_guard<py::gil_scoped_release>());
}
