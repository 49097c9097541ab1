// How long the threads ran on a processor and how long they waited for one, as the kernel counts
// it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/format.hpp"
#include "core/mapped_array.hpp"
#include "core/trace_file.hpp"

namespace gilscope {

struct CpuTime {
  std::uint64_t on_cpu;    // ns since the thread's start
  std::uint64_t runnable;  // ns, likewise: ready to run, and not running
};

// Reads the times of this process's thread with this id; false if it ended or they are unknown.
bool read_cpu_time(pid_t tid, CpuTime* time);

// Writes samples of them. One thread at a time.
class CpuTimes {
 public:
  explicit CpuTimes(TraceFile& file) : file_(file) {}

  // A living thread of the session. One that has not run since the sample before is left out, and
  // both ends of its pause are written when it runs again.
  void sample(std::uint32_t thread, pid_t tid);
  // Call after the last thread of a round.
  void write();

  // Writes the last sample of the calling thread, which is about to end. Safe beside the others.
  static void sample_last(TraceFile& file, std::uint32_t thread);

 private:
  struct Last {
    format::CpuTimeBody body;
    bool is_written;
  };

  TraceFile& file_;
  MappedArray<Last> last_;  // by thread
  MappedArray<format::CpuTimeBody> round_;
};

}  // namespace gilscope
