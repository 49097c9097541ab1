// The session's own thread: keeps pages of the trace file ready and reads the clocks now and then.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <cstddef>

#include "core/trace_file.hpp"

namespace gilscope {

class Keeper {
 public:
  explicit Keeper(TraceFile& file);
  // Not before the last hook has ended: it may call().
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void start();
  void stop();

  // Space is short. Cheap, callable from any hook.
  void call();

 private:
  static void* main(void* keeper);
  void run();
  void keep_ready();
  void wait();

  TraceFile& file_;
  pthread_t thread_{};
  bool started_ = false;
  sem_t wake_{};
  std::atomic<bool> called_{false};
  std::atomic<bool> stop_{false};
};

// Writes what the clocks say now.
void sample_clock(TraceFile& file);

}  // namespace gilscope
