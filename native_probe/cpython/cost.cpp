#include "cpython/cost.hpp"

#include <Python.h>

#include <algorithm>

#include "core/session.hpp"
#include "cpython/layout.h"
#include "hooks/interpreter.hpp"

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

std::uint64_t recorded_pair() {
  const bool gil_enabled = gilscope_gil_enabled() != 0;
  auto* session = new Session(
      {"", 4 << 20, gilscope_is_free_threaded() != 0, gil_enabled, PY_VERSION_HEX, "{}"});
  hooks::begin_session(*session, gil_enabled);
  session->activate();
  const std::uint64_t result = pair();
  if (session->deactivate()) {
    session->finish("stop", gil_enabled);
    delete session;
  } else {
    session->file().abandon();
  }
  return result;
}

}  // namespace gilscope::cost
