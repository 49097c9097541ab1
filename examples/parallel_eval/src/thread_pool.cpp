#include "parallel_eval/thread_pool.hpp"

#include <pthread.h>

#include <stdexcept>
#include <utility>

namespace parallel_eval {
namespace {

thread_local const ThreadPool* current_pool = nullptr;

void name_this_thread(const std::string& name) {
  // Linux refuses names of more than 15 bytes instead of cutting them.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads, const std::string& name) {
  if (threads == 0) throw std::invalid_argument("a pool needs at least one thread");
  threads_.reserve(threads);
  try {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, label = name + "-" + std::to_string(i)] {
        name_this_thread(label);
        work();
      });
    }
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::run(const Job& job) {
  if (current_pool == this) {
    throw std::logic_error("a pool cannot be used from one of its own threads");
  }
  std::lock_guard turn(turn_);
  std::unique_lock lock(mutex_);
  job_ = &job;
  busy_ = threads_.size();
  ++generation_;
  started_.notify_all();
  ended_.wait(lock, [this] { return busy_ == 0; });
  job_ = nullptr;
  const std::exception_ptr error = std::exchange(error_, nullptr);
  lock.unlock();
  if (error) std::rethrow_exception(error);
}

void ThreadPool::work() {
  current_pool = this;
  std::uint64_t done = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    started_.wait(lock, [&] { return stopping_ || generation_ != done; });
    if (stopping_) return;
    done = generation_;
    const Job* job = job_;
    lock.unlock();
    run_job(*job);
    lock.lock();
    if (--busy_ == 0) ended_.notify_one();
  }
}

void ThreadPool::run_job(const Job& job) {
  std::exception_ptr surplus;  // released after the lock: it may run foreign code
  try {
    job();
  } catch (...) {
    surplus = std::current_exception();
    std::lock_guard lock(mutex_);
    if (!error_) error_.swap(surplus);
  }
}

void ThreadPool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  started_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace parallel_eval
