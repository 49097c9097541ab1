#include "native_logging/mandelbrot.hpp"

#include <pthread.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace native_logging {
namespace {

/// Iterations until the orbit of the point leaves the circle of radius 2, at most `limit`.
unsigned escape_time(double cx, double cy, unsigned limit) {
  double x = 0.0;
  double y = 0.0;
  unsigned n = 0;
  for (; n < limit && x * x + y * y <= 4.0; ++n) {
    const double next = x * x - y * y + cx;
    y = 2.0 * x * y + cy;
    x = next;
  }
  return n;
}

struct Row {
  std::uint64_t iterations = 0;
  std::size_t inside = 0;
};

Row render_row(const Task& task, std::size_t row) {
  const double cy = -1.25 + 2.5 * static_cast<double>(row) / static_cast<double>(task.rows);
  Row result;
  for (std::size_t column = 0; column < task.columns; ++column) {
    const double cx = -2.0 + 2.5 * static_cast<double>(column) / static_cast<double>(task.columns);
    const unsigned n = escape_time(cx, cy, task.limit);
    result.iterations += n;
    result.inside += n == task.limit ? 1 : 0;
  }
  return result;
}

Record describe(std::size_t number, const Row& row) {
  return {row.inside > 0 ? Level::info : Level::debug,
          "row " + std::to_string(number) + ": " + std::to_string(row.inside) + " points inside, " +
              std::to_string(row.iterations) + " iterations"};
}

/// One rendering: what its workers share.
class Rendering {
 public:
  Rendering(const Task& task, Logger& logger) : task_(task), logger_(logger) {}

  std::uint64_t run() {
    std::vector<std::thread> workers;
    workers.reserve(task_.threads);
    try {
      for (std::size_t i = 0; i < task_.threads; ++i) {
        workers.emplace_back([this, i] { work("log-worker-" + std::to_string(i)); });
      }
    } catch (...) {
      fail();  // no more threads to be had: those that run must end first
    }
    for (std::thread& worker : workers) worker.join();
    if (error_) std::rethrow_exception(error_);
    return iterations_.load();
  }

 private:
  void work(const std::string& name) {
    // Linux refuses names of more than 15 bytes instead of cutting them.
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    try {
      logger_.run_worker([this] { take_rows(); });
    } catch (...) {
      fail();
    }
  }

  void take_rows() {
    std::vector<Record> pending;
    std::uint64_t iterations = 0;
    while (!failed_.load(std::memory_order_relaxed)) {
      const std::size_t number = next_.fetch_add(1, std::memory_order_relaxed);
      if (number >= task_.rows) {
        if (!pending.empty()) logger_.log_batch(pending);
        break;
      }
      const Row row = render_row(task_, number);
      iterations += row.iterations;
      hand_over(describe(number, row), pending);
    }
    iterations_.fetch_add(iterations, std::memory_order_relaxed);
  }

  void hand_over(Record record, std::vector<Record>& pending) {
    if (task_.batch == 1) {
      logger_.log(record.level, record.message);
      return;
    }
    pending.push_back(std::move(record));
    if (pending.size() < task_.batch) return;
    logger_.log_batch(pending);
    pending.clear();
  }

  /// Keeps the exception being handled if it is the first, and tells the workers to stop.
  void fail() noexcept {
    std::exception_ptr surplus = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    // A later exception is released after the lock, since that may run foreign code.
    if (!error_) error_.swap(surplus);
  }

  const Task& task_;
  Logger& logger_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> iterations_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // guards error_
  std::exception_ptr error_;
};

}  // namespace

std::uint64_t render(const Task& task, Logger& logger) {
  if (task.threads == 0) throw std::invalid_argument("rendering needs at least one thread");
  if (task.batch == 0) throw std::invalid_argument("a batch holds at least one record");
  return Rendering(task, logger).run();
}

}  // namespace native_logging
