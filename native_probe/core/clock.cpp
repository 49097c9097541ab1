#include "core/clock.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gilscope {

const format::ClockKind Clock::kind_ = Clock::detect();
const Clock::Sample Clock::loaded_ = Clock::sample();

format::ClockKind Clock::detect() {
#if defined(__x86_64__)
  // CPUID 0x80000007, EDX bit 8: the time stamp counter runs at one rate in all states of power.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool invariant =
      __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
  return invariant ? format::ClockKind::tsc : format::ClockKind::monotonic;
#elif defined(__aarch64__)
  return format::ClockKind::cntvct;
#else
  return format::ClockKind::monotonic;
#endif
}

Clock::Sample Clock::sample() {
  // The narrowest of a few tries: one that was interrupted would shift the whole time axis.
  Sample best{};
  std::uint64_t narrowest = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = ticks();
    const std::uint64_t monotonic = nanoseconds(CLOCK_MONOTONIC);
    const std::uint64_t after = ticks();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = {before + (after - before) / 2, monotonic, 0};
  }
  const std::uint64_t offset = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC);
  best.realtime = best.monotonic + offset;
  return best;
}

std::uint64_t Clock::ticks_per_second() {
  constexpr std::uint64_t kEnough = 5'000'000;  // ns; an error of 100 ns is then 20 ppm
  Sample now = sample();
  while (now.monotonic - loaded_.monotonic < kEnough) now = sample();
  const auto elapsed = static_cast<long double>(now.monotonic - loaded_.monotonic);
  return static_cast<std::uint64_t>(static_cast<long double>(now.ticks - loaded_.ticks) * 1e9L /
                                    elapsed);
}

}  // namespace gilscope
