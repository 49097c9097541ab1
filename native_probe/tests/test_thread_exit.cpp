// The end of threads: their records, their slots and their logs in the pool.
#include <limits.h>
#include <pthread.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Session;
using gilscope::ThreadLog;
using gilscope::ThreadLogs;
using gilscope::format::ChunkKind;
using gilscope::format::ThreadSlot;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

std::size_t logs_in_pool() {
  std::size_t n = 0;
  ThreadLogs::for_each([&n](ThreadLog&) { ++n; });
  return n;
}

TEST("the exit of a thread seals its records and ends its slot") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  std::thread([] { emit(1); }).join();
  bool sealed = false;
  session->file().for_each_chunk([&sealed](const auto& chunk, std::size_t) {
    if (chunk.kind == static_cast<std::uint16_t>(ChunkKind::events)) sealed = chunk.state == 1;
  });
  CHECK(sealed);
  CHECK(session->slot_at(1)->end_ticks >= session->slot_at(1)->start_ticks);
  stop_session(session);
}

TEST("the log of a thread that is gone serves the next one, which gets a slot of its own") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  for (int i = 0; i < 200; ++i) std::thread([] { emit(1); }).join();
  CHECK(logs_in_pool() <= 2);
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").slots().size(), 200u);
}

TEST("a thread that outlives its session does not appear in the next one unless it records") {
  const TemporaryDirectory directory;
  std::atomic<int> step{0};
  Session* first = started_session(directory / "first");
  std::thread thread([&step] {
    emit(1);
    step = 1;
    while (step != 2) std::this_thread::yield();
  });
  while (step != 1) std::this_thread::yield();
  stop_session(first);
  Session* second = started_session(directory / "second");
  CHECK_EQUAL(read_trace(directory / "second").slots().size(), 0u);
  step = 2;
  thread.join();
  stop_session(second);
  CHECK_EQUAL(read_trace(directory / "first").records().size(), 1u);
  CHECK_EQUAL(read_trace(directory / "second").records().size(), 0u);
}

// The thread sanitizer takes its own leave in the last round; no code of its may run after that.
#if defined(__SANITIZE_THREAD__)
constexpr std::uintptr_t kRounds = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
#else
constexpr std::uintptr_t kRounds = PTHREAD_DESTRUCTOR_ITERATIONS;
#endif

// Destructors of thread-specific data that record in every round.
pthread_key_t late_key;
std::atomic<int> late_records{0};
void record_late(void* round) {
  if (emit(2)) ++late_records;
  const auto next = reinterpret_cast<std::uintptr_t>(round) + 1;
  if (next <= kRounds) pthread_setspecific(late_key, reinterpret_cast<void*>(next));
}

TEST("what other destructors of an ending thread do is recorded while there is a log") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK_EQUAL(pthread_key_create(&late_key, record_late), 0);
  std::thread([] {
    pthread_setspecific(late_key, reinterpret_cast<void*>(1));
    emit(1);
  }).join();
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  CHECK(late_records >= 2);
  CHECK_EQUAL(trace.records().size(), static_cast<std::size_t>(late_records) + 1);
  CHECK_EQUAL(trace.slots().size(), 1u);
}

TEST("destructors that record to the very end do not use up the pool") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK_EQUAL(pthread_key_create(&late_key, record_late), 0);
  for (int i = 0; i < 50; ++i) {
    std::thread([] {
      pthread_setspecific(late_key, reinterpret_cast<void*>(1));
      emit(1);
    }).join();
  }
  CHECK(logs_in_pool() <= 2);
  stop_session(session);
}

TEST("threads that come and go while a session is stopped do not disturb its sealing") {
  const TemporaryDirectory directory;
  CHECK(ThreadLogs::initialize());
  std::atomic<bool> stop{false};
  std::vector<std::thread> churners;
  for (int i = 0; i < 3; ++i) {
    churners.emplace_back([&stop] {
      while (!stop) std::thread([] { emit(1); }).join();
    });
  }
  for (int i = 0; i < 40; ++i) {
    Session* session = started_session(directory / std::to_string(i), 8 << 20);
    while (session->file().bytes_used() < 400'000) std::this_thread::yield();
    stop_session(session);
  }
  stop = true;
  for (std::thread& churner : churners) churner.join();
  for (int i = 0; i < 40; ++i) {
    const ReadTrace trace = read_trace(directory / std::to_string(i));
    std::set<std::uint32_t> seen;
    for (const ThreadSlot& slot : trace.slots()) CHECK(seen.insert(slot.thread).second);
    for (const auto& record : trace.records()) CHECK_EQUAL(record.what, 1u);
  }
}

}  // namespace
