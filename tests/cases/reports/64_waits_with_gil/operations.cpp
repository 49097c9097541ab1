// A bounded number of asynchronous operations.
#include <pybind11/pybind11.h>

#include <condition_variable>
#include <deque>
#include <mutex>
namespace py = pybind11;

struct Pool {
  std::mutex mutex_;
  std::condition_variable freed_, finished_;
  std::deque<int> running_;
  std::size_t most_;
  explicit Pool(std::size_t most) : most_(most) {}
  void wait_and_begin(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    freed_.wait(lock, [this] { return running_.size() < most_; });
    running_.push_back(number);
    finished_.notify_one();
  }
  void begin(int number, bool polite) {
    if (polite) {
      const py::gil_scoped_release released;
      wait_and_begin(number);
    } else {
      wait_and_begin(number);  // with the GIL
    }
  }
  void take_finished(const py::object& callback) {
    int number = 0;
    {
      const py::gil_scoped_release released;
      std::unique_lock<std::mutex> lock(mutex_);
      finished_.wait(lock, [this] { return !running_.empty(); });
      number = running_.front();
    }
    callback(number);
    const std::lock_guard<std::mutex> lock(mutex_);
    running_.pop_front();
    freed_.notify_one();
  }
};

PYBIND11_MODULE(operations, m, py::mod_gil_not_used()) {
  py::class_<Pool>(m, "Pool")
      .def(py::init<std::size_t>())
      .def("begin", &Pool::begin)
      .def("take_finished", &Pool::take_finished);
}
