#include "bindings/probe.hpp"

#include <pybind11/pybind11.h>

#include <algorithm>

#include "bindings/detached.hpp"
#include "bindings/lifecycle.hpp"
#include "bindings/not_measured.hpp"
#include "bindings/readiness.hpp"
#include "bindings/self_test.hpp"
#include "core/session.hpp"
#include "cpython/layout.h"
#include "hooks/installation.hpp"

namespace gilscope {
namespace {

Session* open_session(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
                      bool ring, const std::string& session, bool gil_enabled) {
  SessionOptions options{path,        max_bytes,      gilscope_is_free_threaded() != 0,
                         gil_enabled, PY_VERSION_HEX, metadata,
                         ring};
  std::copy_n(session.begin(), std::min(session.size(), options.session.size()),
              options.session.begin());
  return new Session(options);
}

}  // namespace

void start(const std::string& path, std::uint64_t max_bytes, const std::string& metadata,
           const std::vector<KnownThread>& threads, bool ring, const std::string& session_id,
           bool native_locks) {
  const bool gil_enabled = gilscope_gil_enabled_for_good() != 0;
  lifecycle::start({
      native_locks,
      [&] { return open_session(path, max_bytes, metadata, ring, session_id, gil_enabled); },
      [&](Session& session) {
        for (const auto& [tid, ident, python, name] : threads) {
          session.declare(tid, ident, python ? format::kPythonThread : format::kNativeThread, name);
        }
      },
      [&](Session& session, const SelfTestReport& tested) {
        session.file().define(format::ProbeCostBody{tested.pair_cost, tested.stack_cost});
        not_measured::define(session, tested.outcomes, native_locks);
      },
  });
}

std::map<std::string, std::uint64_t> stop(const std::map<std::uint32_t, std::string>& names,
                                          const std::string& reason) {
  return lifecycle::stop(names, reason);
}

bool running() { return lifecycle::running(); }

void watch_ending(const std::string& path) { lifecycle::watch_ending(path); }

void snapshot(const std::string& path) { lifecycle::snapshot(path); }

std::optional<Counts> counted() {
  const std::optional<lifecycle::Counted> found = lifecycle::counted();
  if (!found) return std::nullopt;
  const auto pairs = [](const auto& counts, const auto& times) {
    std::vector<CountAndTime> both;
    both.reserve(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) both.emplace_back(counts[i], times[i]);
    return both;
  };
  const EventSums& sums = found->sums;
  return Counts{pairs(sums.count, sums.ticks),
                pairs(sums.lock_waits, sums.lock_wait_ticks),
                {found->locks.begin(), found->locks.end()},
                sums.forced,
                found->dropped,
                found->overwritten,
                found->size,
                found->start};
}

void before_fork() { lifecycle::before_python_forks(); }

void after_fork_in_parent() { lifecycle::after_python_forked_in_parent(); }

SelfTestState self_test_state() {
  SelfTestState state;
  lifecycle::while_idle([&state] {
    const std::string key = self_test::key(readiness::interpreter());
    const SelfTestReport* report = self_test::known(key);
    state = report == nullptr ? SelfTestState{key, {}, false}
                              : SelfTestState{key, report->outcomes, report->complete};
  });
  return state;
}

std::string test_here() {
  std::string text;
  lifecycle::while_idle([&text] { text = readiness::test(); });
  return text;
}

bool adopt_self_test(const std::string& key, const std::string& text) {
  bool adopted = false;
  lifecycle::while_idle([&] { adopted = self_test::adopt(readiness::interpreter(), key, text); });
  return adopted;
}

void lack_self_test(const std::string& key, const std::string& why) {
  lifecycle::while_idle([&] { self_test::lack(readiness::interpreter(), key, why); });
}

std::vector<std::tuple<std::string, std::string, std::size_t>> hook_report() {
  lifecycle::in_turn([] { readiness::interpreter(); });
  std::vector<std::tuple<std::string, std::string, std::size_t>> report;
  without_gil([&report] { report = hooks::installation::report(); });
  return report;
}

std::uint64_t begin_span() { return Session::active_id() != 0 ? Clock::ticks() : 0; }

void end_span(const std::string& name, std::uint64_t start, std::int64_t bytes) {
  const std::uint64_t end = Clock::ticks();
  Recording recording;
  if (!recording || start == 0 || end < start) return;
  const std::uint64_t size =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)), format::kMostBytes);
  recording.emit(format::EventKind::span, bytes < 0 ? 0 : format::span_flag::kBytes,
                 static_cast<std::uint16_t>(size >> 32), recording.session().string(name), start,
                 end - start, static_cast<std::uint32_t>(size));
}

void name_thread(const std::string& name) {
  Recording recording;
  // Threads of a library that are none of the system's run in one that has a name.
  if (!recording || recording.log().named) return;
  recording.log().named = true;
  recording.slot().flags |= format::kPythonThread;
  recording.session().define_name(recording.log().index, name);
}

}  // namespace gilscope
