#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace parallel_eval {

/// A fixed set of named threads that run one job at a time, all of them together.
class ThreadPool {
 public:
  using Job = std::function<void()>;

  /// Starts `threads` threads called `name`-0, `name`-1, ...
  /// Throws std::invalid_argument for 0, std::system_error if a thread cannot be started.
  ThreadPool(std::size_t threads, const std::string& name);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Runs `job` once on every thread and returns when all have ended it. The first exception
  /// of any of them is thrown here; the pool stays usable. Callers from several threads take
  /// turns. Throws std::logic_error when called from one of the pool's own threads, which
  /// would wait for itself.
  void run(const Job& job);

  std::size_t size() const noexcept { return threads_.size(); }

 private:
  void work();
  void run_job(const Job& job);
  void stop();

  std::mutex turn_;   // held by the caller whose job runs
  std::mutex mutex_;  // guards all that follows
  std::condition_variable started_;
  std::condition_variable ended_;
  const Job* job_ = nullptr;
  std::uint64_t generation_ = 0;  // number of the job, so that no thread runs one twice
  std::size_t busy_ = 0;
  std::exception_ptr error_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace parallel_eval
