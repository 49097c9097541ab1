#include "parallel_eval/evaluator.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

namespace parallel_eval {
namespace {

/// What the threads of one map() share.
struct Work {
  const Function& function;
  const std::vector<double>& inputs;
  std::vector<double>& outputs;
  const std::size_t batch;
  Observer* const observer;
  // Atomics of their own cache line: every thread writes them, and reads the rest.
  alignas(64) std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
};

void evaluate(const Work& work, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    work.outputs[i] = work.function(work.inputs[i]);
  }
  if (work.observer) work.observer->on_batch({first, work.outputs.data() + first, count});
}

void take_batches(Work& work) {
  const std::size_t size = work.inputs.size();
  while (!work.failed.load(std::memory_order_relaxed)) {
    // Relaxed: the number alone is shared; the pool orders inputs and outputs.
    const std::size_t ticket = work.next.fetch_add(1, std::memory_order_relaxed);
    if (ticket > size / work.batch) return;
    const std::size_t first = ticket * work.batch;
    if (first >= size) return;
    try {
      evaluate(work, first, std::min(work.batch, size - first));
    } catch (...) {
      work.failed.store(true, std::memory_order_relaxed);
      throw;
    }
  }
}

}  // namespace

Evaluator::Evaluator(std::size_t threads, const std::string& name) : pool_(threads, name) {}

std::vector<double> Evaluator::map(const Function& function, const std::vector<double>& inputs,
                                   std::size_t batch, Observer* observer) {
  if (batch == 0) throw std::invalid_argument("a batch holds at least one input");
  std::vector<double> outputs(inputs.size());
  Work work{function, inputs, outputs, batch, observer};
  const ThreadPool::Job job = [&work] { take_batches(work); };
  if (observer) {
    pool_.run([&] { observer->run_thread(job); });
  } else {
    pool_.run(job);
  }
  return outputs;
}

}  // namespace parallel_eval
