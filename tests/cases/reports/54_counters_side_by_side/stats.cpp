#include <pybind11/pybind11.h>

#include <atomic>
#include <thread>
#include <vector>

namespace py = pybind11;

struct Packed {
  std::atomic<long> passed{0};
};
struct alignas(64) Padded {
  std::atomic<long> passed{0};
};

static Packed packed[64];
static Padded padded[64];

// Each thread counts what it has passed in a counter of its own.
template <typename Counter>
__attribute__((noinline)) static void count(Counter* counter, long times) {
  for (long i = 0; i < times; ++i) counter->passed.fetch_add(1, std::memory_order_acq_rel);
}

static void count_all(int threads, long times, bool apart) {
  py::gil_scoped_release release;
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([=] { apart ? count(&padded[i], times) : count(&packed[i], times); });
  }
  for (std::thread& thread : pool) thread.join();
}

PYBIND11_MODULE(stats, module, py::mod_gil_not_used()) { module.def("count_all", count_all); }
