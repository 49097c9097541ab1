// Clock: its samples, and how its ticks go with nanoseconds.
#include <cmath>

#include "core/clock.hpp"
#include "tests/harness.hpp"

namespace {

using gilscope::Clock;
using gilscope::nanoseconds;

TEST("ticks do not go back in one thread") {
  std::uint64_t last = Clock::ticks();
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t now = Clock::ticks();
    CHECK(now >= last);
    last = now;
  }
}

TEST("samples follow each other on every clock") {
  Clock::Sample last = Clock::sample();
  for (int i = 0; i < 1000; ++i) {
    const Clock::Sample now = Clock::sample();
    CHECK(now.ticks > last.ticks);
    CHECK(now.monotonic > last.monotonic);
    last = now;
  }
}

TEST("a sample lies between readings before and after it") {
  const std::uint64_t ticks = Clock::ticks();
  const std::uint64_t monotonic = nanoseconds(CLOCK_MONOTONIC);
  const Clock::Sample sample = Clock::sample();
  CHECK(ticks <= sample.ticks && sample.ticks <= Clock::ticks());
  CHECK(monotonic <= sample.monotonic && sample.monotonic <= nanoseconds(CLOCK_MONOTONIC));
}

TEST("the estimated rate turns ticks into the nanoseconds of the monotonic clock") {
  const auto rate = static_cast<double>(Clock::ticks_per_second());
  const Clock::Sample begin = Clock::sample();
  Clock::Sample end = begin;
  while (end.monotonic - begin.monotonic < 20'000'000) end = Clock::sample();
  const double by_ticks = static_cast<double>(end.ticks - begin.ticks) / rate * 1e9;
  const auto by_clock = static_cast<double>(end.monotonic - begin.monotonic);
  CHECK(std::abs(by_ticks - by_clock) < by_clock / 100);
}

}  // namespace
