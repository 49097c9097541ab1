// Session and Recording: what threads record while a session is active, comes and goes.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Recording;
using gilscope::Session;
using gilscope::ThreadLogs;
using gilscope::format::DefinitionTag;
using gilscope::format::ThreadSlot;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::session_options;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

std::uint64_t dropped(const ReadTrace& trace) {
  std::uint64_t total = 0;
  for (const ThreadSlot& slot : trace.slots()) total += slot.dropped;
  return total;
}

TEST("a thread's records are in the file in the order of their writing") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  for (std::uint32_t i = 0; i < 20'000; ++i) CHECK(emit(i));
  stop_session(session);
  const auto records = read_trace(directory / "t").records(1);
  CHECK_EQUAL(records.size(), 20'000u);
  for (std::uint32_t i = 0; i < 20'000; ++i) CHECK_EQUAL(records[i].what, i);
}

TEST("a session that was stopped has metadata, clocks and an END") {
  const TemporaryDirectory directory;
  stop_session(started_session(directory / "t"));
  const ReadTrace trace = read_trace(directory / "t");
  CHECK_EQUAL(trace.json(gilscope::format::ChunkKind::metadata), R"({"gilscope": "test"})");
  CHECK_EQUAL(trace.definitions(DefinitionTag::clock).size(), 2u);
  CHECK(trace.json(gilscope::format::ChunkKind::end).find("\"stop_ticks\"") != std::string::npos);
  for (const auto& chunk : trace.chunks) CHECK(chunk.sealed());
}

TEST("the header holds the session's build, process and start") {
  const TemporaryDirectory directory;
  const std::uint64_t before = gilscope::Clock::ticks();
  stop_session(started_session(directory / "t"));
  const auto header = read_trace(directory / "t").header;
  CHECK_EQUAL(std::string(header.magic, 8), "GILSCOPE");
  CHECK_EQUAL(header.checksum, gilscope::format::checksum(&header, 120));
  CHECK_EQUAL(header.flags, std::uint32_t{gilscope::format::kFreeThreaded});
  CHECK_EQUAL(header.pid, static_cast<std::uint32_t>(getpid()));
  CHECK(header.start_ticks >= before && header.start_ticks <= gilscope::Clock::ticks());
}

TEST("nothing is recorded before a session is active and after it was stopped") {
  const TemporaryDirectory directory;
  CHECK(ThreadLogs::initialize());
  auto* session = new Session(session_options(directory / "t"));
  CHECK(!emit(1));
  session->activate();
  CHECK(emit(2));
  stop_session(session);
  CHECK(!emit(3));
  CHECK_EQUAL(read_trace(directory / "t").records().size(), 1u);
}

TEST("a hook inside of a hook, as in a signal's handler, records nothing") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  {
    const Recording outer;
    CHECK(outer);
    CHECK(!emit(1));
  }
  CHECK(emit(2));
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").records().size(), 1u);
}

TEST("a hook leaves errno alone when it joins a session and takes a chunk") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t", 1 << 20);
  errno = 1234;
  for (std::uint32_t i = 0; i < 100'000; ++i) emit(i);
  const int after = errno;
  stop_session(session);
  CHECK_EQUAL(after, 1234);
}

TEST("a thread that was declared records under the number that it was given") {
  const TemporaryDirectory directory;
  CHECK(ThreadLogs::initialize());
  auto* session = new Session(session_options(directory / "t"));
  CHECK(session->declare(static_cast<std::uint32_t>(getpid()), 7, 0, "MainThread"));
  session->activate();
  CHECK(emit(1));
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  CHECK_EQUAL(trace.slots().size(), 1u);
  CHECK_EQUAL(trace.slots()[0].ident, 7u);
  CHECK_EQUAL(trace.records(1).size(), 1u);
  CHECK_EQUAL(trace.definitions(DefinitionTag::thread_name).size(), 1u);
}

TEST("a name goes to the living thread of that id and to nobody else") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  session->name(static_cast<std::uint32_t>(getpid()), "this one");
  session->name(1, "nobody");
  stop_session(session);
  const auto names = read_trace(directory / "t").definitions(DefinitionTag::thread_name);
  CHECK_EQUAL(names.size(), 1u);
  CHECK_EQUAL(names[0].body.substr(8, 8), "this one");
}

TEST("more threads than a chunk holds slots for all get one of their own") {
  constexpr int kThreads = 300;
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  for (int i = 0; i < kThreads / 4; ++i) {
    std::thread four[4];
    for (std::thread& thread : four) thread = std::thread([] { emit(1); });
    for (std::thread& thread : four) thread.join();
  }
  stop_session(session);
  const ReadTrace trace = read_trace(directory / "t");
  std::map<std::uint32_t, int> slots;
  for (const ThreadSlot& slot : trace.slots()) ++slots[slot.thread];
  CHECK_EQUAL(slots.size(), std::size_t{kThreads});
  for (const auto& [thread, count] : slots) {
    CHECK_EQUAL(count, 1);
    CHECK_EQUAL(trace.records(thread).size(), 1u);
  }
}

// Threads record without a pause; each counts what the session of that number took.
class Hammer {
 public:
  static constexpr std::uint32_t kSessions = 40;

  explicit Hammer(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  void finish() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  std::uint64_t taken(std::uint64_t session) const { return taken_[session].load(); }

 private:
  void run() {
    while (!stop_.load(std::memory_order_relaxed)) {
      Recording recording;
      if (!recording) continue;
      const std::uint64_t id = recording.session().id();
      recording.emit(gilscope::format::EventKind::gil_hold, 0, 0, static_cast<std::uint32_t>(id),
                     gilscope::Clock::ticks(), 1, 0);
      taken_[id].fetch_add(1, std::memory_order_relaxed);
    }
  }

  std::atomic<std::uint64_t> taken_[kSessions + 1] = {};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST("sessions that come and go under recording threads have every record that was counted") {
  const TemporaryDirectory directory;
  CHECK(ThreadLogs::initialize());
  Hammer hammer(3);
  std::vector<std::uint64_t> events(1);
  for (std::uint32_t i = 1; i <= Hammer::kSessions; ++i) {
    Session* session = started_session(directory / std::to_string(i), 8 << 20);
    while (hammer.taken(i) < 1000) std::this_thread::yield();
    CHECK(session->deactivate());
    session->finish("stop", false);
    events.push_back(session->events());
    delete session;
  }
  hammer.finish();
  for (std::uint32_t i = 1; i <= Hammer::kSessions; ++i) {
    const ReadTrace trace = read_trace(directory / std::to_string(i));
    const auto records = trace.records();
    CHECK_EQUAL(records.size(), events[i]);
    CHECK_EQUAL(records.size() + dropped(trace), hammer.taken(i));
    for (const auto& record : records) CHECK_EQUAL(record.what, i);
  }
}

TEST("a thread that stays inside a hook keeps the session's memory from being given back") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  std::atomic<int> step{0};
  std::thread thread([&step] {
    Recording recording;
    step = 1;
    while (step != 2) std::this_thread::yield();
    recording.emit(gilscope::format::EventKind::gil_hold, 0, 0, 1, 1, 1, 0);
  });
  while (step != 1) std::this_thread::yield();
  const bool quiet = session->deactivate();
  session->file().abandon();
  step = 2;
  thread.join();
  CHECK(!quiet);
  gilscope::testing::keep_for_ever(session);
}

TEST("a living thread is found by the kernel's number for it, one that has ended is not") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  std::atomic<std::uint32_t> index{0};
  std::atomic<std::uint32_t> tid{0};
  std::atomic<bool> end{false};
  std::thread other([&] {
    Recording recording;
    index = recording.log().index;
    tid = recording.log().tid;
    while (!end) std::this_thread::yield();
  });
  while (tid == 0) std::this_thread::yield();
  CHECK_EQUAL(session->index_of(tid), index.load());
  CHECK_EQUAL(session->index_of(static_cast<std::uint32_t>(getpid())), 1u);
  CHECK_EQUAL(session->index_of(0), 0u);
  CHECK_EQUAL(session->index_of(1), 0u);
  end = true;
  other.join();
  CHECK_EQUAL(session->index_of(tid), 0u);
  stop_session(session);
}

}  // namespace
