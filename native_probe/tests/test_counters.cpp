// The sums of a session's events are those of its records, whoever writes meanwhile.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/counters.hpp"
#include "core/lock_definition.hpp"
#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::EventSums;
using gilscope::Session;
using gilscope::format::EventKind;
using gilscope::testing::emit;
using gilscope::testing::session_options;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

constexpr std::uint32_t kMany = 200'000;

std::uint64_t all_of(const EventSums& sums) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : sums.count) all += count;
  return all;
}

TEST("events of open chunks count, and those of threads that have ended") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  emit(0);
  CHECK_EQUAL(all_of(session->event_sums()), 1u);
  std::thread([] {
    for (std::uint32_t i = 0; i < 1'000; ++i) emit(i);
  }).join();
  CHECK_EQUAL(all_of(session->event_sums()), 1'001u);
  stop_session(session);
}

TEST("events that a ring has replaced still count") {
  const TemporaryDirectory directory;
  gilscope::SessionOptions options = session_options(directory / "t", 8 << 20);
  options.ring = true;
  CHECK(gilscope::ThreadLogs::initialize());
  auto* session = new Session(options);
  session->activate();
  for (std::uint32_t i = 0; i < 2 * kMany; ++i) CHECK(emit(i));
  CHECK(session->file().overwritten() > 0);
  CHECK_EQUAL(all_of(session->event_sums()), std::uint64_t{2} * kMany);
  stop_session(session);
}

TEST("waits are counted by the kind of their lock, with their time") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  gilscope::LockIdentity lock;
  lock.kind = gilscope::format::LockKind::native_mutex;
  lock.address = 0x1000;
  const std::uint32_t id = gilscope::find_nameless_lock(*session, lock).id;
  gilscope::find_nameless_lock(*session, lock);
  {
    gilscope::Recording recording;
    CHECK(static_cast<bool>(recording));
    recording.emit(EventKind::lock_wait, 0, 0, id, 100, 7, 0);
    recording.emit(EventKind::lock_wait, 0, 0, id, 200, 5, 0);
    recording.emit(EventKind::lock_wait, 0, 0, 0, 300, 1, 0);
  }
  const EventSums sums = session->event_sums();
  const auto kind = static_cast<std::size_t>(lock.kind);
  CHECK_EQUAL(sums.lock_waits[kind], 2u);
  CHECK_EQUAL(sums.lock_wait_ticks[kind], 12u);
  CHECK_EQUAL(sums.lock_waits[0], 1u);
  CHECK_EQUAL(session->counters().locks()[kind], 1u);
  stop_session(session);
}

TEST("numbers are between what was written before and after the question, and never fall") {
  constexpr std::uint32_t kThreads = 3;
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  std::atomic<std::uint64_t> begun{0}, done{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&begun, &done] {
      for (std::uint32_t i = 0; i < kMany; ++i) {
        begun.fetch_add(1);
        CHECK(emit(i));
        done.fetch_add(1);
      }
    });
  }
  std::uint64_t last = 0;
  while (last < std::uint64_t{kThreads} * kMany) {
    const std::uint64_t least = done.load();
    const std::uint64_t found = all_of(session->event_sums());
    CHECK(found >= least);
    CHECK(found <= begun.load());
    CHECK(found >= last);
    last = found;
  }
  for (std::thread& thread : threads) thread.join();
  stop_session(session);
}

}  // namespace
