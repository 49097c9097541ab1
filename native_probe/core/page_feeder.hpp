// The session's own thread: makes pages of the trace file ready as they are used up, and reads the
// clocks now and then.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/trace_file.hpp"

namespace gilscope {

// Runs only in programs that have threads of their own: what a program with one thread may do (fork
// without a warning, enter a namespace) it may do under the probe. Such a program makes its pages
// ready itself, see TraceFile.
class PageFeeder {
 public:
  // `sample` is called now and then; not in a ring, where the file would fill up with samples.
  explicit PageFeeder(TraceFile& file, std::function<void()> sample = {});
  // Destroy it after the last hook has ended: a hook may call().
  ~PageFeeder();
  PageFeeder(const PageFeeder&) = delete;
  PageFeeder& operator=(const PageFeeder&) = delete;

  // Does nothing when it runs already or was stopped. Any thread may call it, also in a hook.
  void start();
  // Stops it for good.
  void stop();

  // Ends the thread until the next start(), as around a fork, where it is the only one besides the
  // calling one; whether it did.
  bool pause();

  bool running() const { return state_.load(std::memory_order_relaxed) == State::running; }

  // Space is short. Cheap, callable from any hook.
  void call();

 private:
  enum class State { idle, changing, running, stopped };

  bool create();
  static void* main(void* feeder);
  void run();
  void keep_ready();
  void follow_rate();
  void sample();
  void wait();
  void join();
  bool change(State from);

  TraceFile& file_;
  const std::function<void()> sample_;
  std::atomic<State> state_{State::idle};
  pthread_t thread_{};
  std::atomic<pid_t> tid_{0};
  sem_t wake_{};
  std::atomic<bool> called_{false};
  std::atomic<bool> end_{false};
  // Bytes to have ready; below half of it the thread is woken up.
  std::atomic<std::size_t> ahead_;
  std::uint64_t taken_before_ = 0;
  std::uint64_t looked_at_ = 0;
  std::uint64_t next_sample_ = 0;
  std::uint64_t next_clock_ = 0;
};

// Threads of this process as the system counts them; 0 when it does not tell.
long thread_count();

// For a thread that has ended or is about to: the system forgets it a moment later, and who counts
// the threads of this process before that (the interpreter, at a fork) finds one too many.
void wait_until_forgotten(pid_t tid, std::uint64_t longest_ns);

// Whether the calling thread is the only one of this process.
bool single_threaded();

// Writes the current values of the clocks.
void sample_clock(TraceFile& file);

}  // namespace gilscope
