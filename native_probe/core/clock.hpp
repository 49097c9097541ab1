// Time stamps: the processor's constant-rate counter where there is one, else CLOCK_MONOTONIC.
#pragma once

#include <time.h>

#include <cstdint>

#include "core/format.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace gilscope {

inline std::uint64_t nanoseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

class Clock {
 public:
  // One moment on all three clocks; the counter is read on both sides of the other two.
  struct Sample {
    std::uint64_t ticks;
    std::uint64_t monotonic;
    std::uint64_t realtime;
  };

  static format::ClockKind kind() { return kind_; }

  static std::uint64_t ticks() {
    return __builtin_expect(is_counter(), 1) ? counter() : nanoseconds(CLOCK_MONOTONIC);
  }

  // Whether a time stamp is one instruction: counter().
  static bool is_counter() { return kind_ != format::ClockKind::monotonic; }

  static std::uint64_t counter() {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    std::uint64_t value;
    asm volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return nanoseconds(CLOCK_MONOTONIC);
#endif
  }

  static Sample sample();

  // Estimated from the samples since the probe was loaded; spins a few milliseconds when that was
  // only just now.
  static std::uint64_t ticks_per_second();

 private:
  static format::ClockKind detect();
  static const format::ClockKind kind_;
  static const Sample loaded_;
};

}  // namespace gilscope
