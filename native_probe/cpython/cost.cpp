#include "cpython/cost.hpp"

#include <Python.h>

#include <algorithm>

#include "core/clock.hpp"

namespace gilscope::cost {
namespace {

constexpr int kSeries = 64;
constexpr int kPairs = 256;
constexpr std::uint64_t kPatience = 20'000'000;  // ns; threads that want the GIL make this longer

}  // namespace

std::uint64_t pair() {
  std::uint64_t least = UINT64_MAX;
  const std::uint64_t begin = nanoseconds(CLOCK_MONOTONIC);
  std::uint64_t now = begin;
  for (int i = 0; i < kSeries && now - begin < kPatience; ++i) {
    const std::uint64_t before = now;
    for (int n = 0; n < kPairs; ++n) PyEval_RestoreThread(PyEval_SaveThread());
    now = nanoseconds(CLOCK_MONOTONIC);
    least = std::min(least, now - before);
  }
  return least * 1'000'000 / kPairs;
}

}  // namespace gilscope::cost
