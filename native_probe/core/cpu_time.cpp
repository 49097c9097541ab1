#include "core/cpu_time.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/clock.hpp"

namespace gilscope {
namespace {

// Definitions are written whole, and a chunk of them has room for many times this.
constexpr std::size_t kMostAtOnce = 64;

bool read_file(const char* path, CpuTime* time) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[96] = {};
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  // "on_cpu runnable slices", see Documentation/scheduler/sched-stats.rst of the kernel.
  char* at = text;
  if (n <= 0) return false;
  time->on_cpu = std::strtoull(at, &at, 10);
  time->runnable = std::strtoull(at, &at, 10);
  return *at == ' ';
}

void define(TraceFile& file, const format::CpuTimeBody* bodies, std::size_t n) {
  // Nothing is missing from a full file for want of a sample.
  if (file.at_limit()) return;
  file.define(format::CpuTimeBody::kTag, bodies, n * sizeof *bodies);
}

}  // namespace

bool read_cpu_time(pid_t tid, CpuTime* time) {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", tid);
  return read_file(path, time);
}

void CpuTimes::sample(std::uint32_t thread, pid_t tid) {
  CpuTime time{};
  if (!read_cpu_time(tid, &time)) return;
  const format::CpuTimeBody now{thread, 0, Clock::ticks(), time.on_cpu, time.runnable};
  if (last_.size() <= thread && !last_.resize(thread + 1)) return;
  Last& last = last_[thread];
  const bool is_first = last.body.thread == 0;
  const bool ran = is_first || last.body.on_cpu != now.on_cpu || last.body.runnable != now.runnable;
  if (ran) {
    if (!is_first && !last.is_written) round_.push_back(last.body);
    round_.push_back(now);
  }
  last = {now, ran};
}

void CpuTimes::write() {
  for (std::size_t i = 0; i < round_.size(); i += kMostAtOnce) {
    define(file_, &round_[i], std::min(kMostAtOnce, round_.size() - i));
  }
  round_.clear();
}

void CpuTimes::sample_last(TraceFile& file, std::uint32_t thread) {
  CpuTime time{};
  if (!read_file("/proc/thread-self/schedstat", &time)) return;
  const format::CpuTimeBody body{thread, 0, Clock::ticks(), time.on_cpu, time.runnable};
  define(file, &body, 1);
}

}  // namespace gilscope
