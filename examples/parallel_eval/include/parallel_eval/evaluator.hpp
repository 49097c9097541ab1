#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "parallel_eval/thread_pool.hpp"

namespace parallel_eval {

/// A run of neighbouring outputs: `count` values that belong to the inputs from `first` on.
struct Batch {
  std::size_t first;
  const double* outputs;
  std::size_t count;
};

using Function = std::function<double(double)>;

/// Sees outputs as they are made. Derive from it to take part in the work.
///
/// Pool threads call it, several of them at a time: an implementation makes itself safe for that.
class Observer {
 public:
  virtual ~Observer() = default;

  /// Runs once on each thread; `work` is all that the thread does and calls on_batch().
  /// Override it to set up something for the thread, around the call of `work`.
  virtual void run_thread(const std::function<void()>& work) { work(); }

  /// Takes the outputs of a batch from the thread that has just made them.
  virtual void on_batch(const Batch& batch) = 0;
};

/// Maps a function over many inputs on a pool of threads.
class Evaluator {
 public:
  /// Throws what ThreadPool's constructor throws.
  explicit Evaluator(std::size_t threads, const std::string& name = "eval");

  /// Returns function(input) for every input, in the order of the inputs.
  ///
  /// The threads take `batch` inputs at a time, and call `observer`, if there is one, after
  /// each batch, in no fixed order. An exception of either ends the work of all threads after
  /// their present batch and is thrown here. Throws std::invalid_argument if `batch` is 0.
  std::vector<double> map(const Function& function, const std::vector<double>& inputs,
                          std::size_t batch = 1, Observer* observer = nullptr);

  std::size_t threads() const noexcept { return pool_.size(); }

 private:
  ThreadPool pool_;
};

}  // namespace parallel_eval
