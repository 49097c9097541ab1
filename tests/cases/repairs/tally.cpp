// A server whose mutex also guards a count that native threads keep, without Python.
#include <pybind11/pybind11.h>

#include <chrono>
#include <mutex>
#include <thread>
namespace py = pybind11;

static std::mutex mutex;
static long served = 0;

static void rest() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

static void count(int times) {
  for (int i = 0; i < times; ++i) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      ++served;
    }
    rest();
  }
}

static void notify(const py::object &f, int times, bool polite) {
  for (int i = 0; i < times; ++i) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      ++served;
      if (polite) lock.unlock();
      py::gil_scoped_acquire gil;  // waits for the GIL, with the mutex unless polite
      f();
    }
    rest();
  }
}

static void run(const py::object &f, bool polite) {
  py::gil_scoped_release released;
  std::thread notifier([&] { notify(f, 100, polite); });
  std::thread one([] { count(200); });
  std::thread two([] { count(200); });
  notifier.join();
  one.join();
  two.join();
}

PYBIND11_MODULE(tally, m, py::mod_gil_not_used()) { m.def("run", &run); }
