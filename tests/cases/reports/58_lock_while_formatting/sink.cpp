// A log sink: its mutex is kept while the message asks Python for its text.
#include <pybind11/pybind11.h>

#include <mutex>
#include <string>
#include <thread>

namespace py = pybind11;

struct Sink {
  std::mutex mutex_;
  std::size_t written_ = 0;
  void write_from_thread(const py::object& message, int count, bool polite) {
    const py::gil_scoped_release released;
    std::thread writer([&] {
      const py::gil_scoped_acquire attached;  // one thread state for all messages
      const py::gil_scoped_release detached;
      for (int i = 0; i < count; ++i) {
        std::size_t size = 0;
        if (polite) {
          const py::gil_scoped_acquire acquired;
          size = py::str(message).cast<std::string>().size();
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!polite) {
          const py::gil_scoped_acquire acquired;
          size = py::str(message).cast<std::string>().size();
        }
        written_ += size;
      }
    });
    writer.join();
  }
  void write(const std::string& text) {  // called with the GIL
    const std::lock_guard<std::mutex> lock(mutex_);
    written_ += text.size();
  }
};

PYBIND11_MODULE(sink, module, py::mod_gil_not_used()) {
  py::class_<Sink>(module, "Sink")
      .def(py::init<>())
      .def("write_from_thread", &Sink::write_from_thread)
      .def("write", &Sink::write);
}
