// The session's own thread: when it is there, and that nothing is lost where it is not.
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::PageFeeder;
using gilscope::Session;
using gilscope::TraceFile;
using gilscope::testing::contents;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

constexpr std::size_t kMegabyte = 1 << 20;

// Threads of this process by the name of ours; a sanitizer may have one, too.
int feeders() {
  DIR* tasks = opendir("/proc/self/task");
  int found = 0;
  while (const dirent* entry = readdir(tasks)) {
    const std::string name = contents(std::string("/proc/self/task/") + entry->d_name + "/comm");
    found += name == "gilscope\n" ? 1 : 0;
  }
  closedir(tasks);
  return found;
}

TEST("a program with one thread has one under a session, too") {
  const TemporaryDirectory directory;
  const bool alone = gilscope::single_threaded();  // not so under the thread sanitizer
  Session* session = started_session(directory / "t");
  CHECK_EQUAL(gilscope::single_threaded(), alone);
  CHECK_EQUAL(feeders(), alone ? 0 : 1);
  stop_session(session);
}

TEST("the session's own thread comes with the second one of the program and goes with the stop") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  session->gets_threads();
  session->gets_threads();
  CHECK_EQUAL(feeders(), 1);
  stop_session(session);
  CHECK_EQUAL(feeders(), 0);
}

TEST("a program that has threads at the start of a session gets the session's own at once") {
  const TemporaryDirectory directory;
  std::atomic<bool> end{false};
  std::thread other([&end] {
    while (!end) std::this_thread::yield();
  });
  Session* session = started_session(directory / "t");
  CHECK_EQUAL(feeders(), 1);
  end = true;
  other.join();
  stop_session(session);
}

TEST("around a fork the session's own thread is away, and comes back") {
  const TemporaryDirectory directory;
  if (!gilscope::single_threaded()) return;  // the thread sanitizer has a thread of its own
  Session* session = started_session(directory / "t");
  session->gets_threads();
  CHECK(session->pause_feeder());
  CHECK(!session->pause_feeder());
  CHECK_EQUAL(feeders(), 0);
  CHECK(emit(1));
  session->gets_threads();
  CHECK_EQUAL(feeders(), 1);
  stop_session(session);
}

TEST("a fork of a program that has several threads leaves the session's own where it is") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  std::atomic<bool> end{false};
  std::thread other([&end] {
    while (!end) std::this_thread::yield();
  });
  session->gets_threads();
  CHECK(!session->pause_feeder());
  CHECK_EQUAL(feeders(), 1);
  end = true;
  other.join();
  stop_session(session);
}

TEST("threads that start it at once, and while it is stopped, leave no thread behind") {
  const TemporaryDirectory directory;
  for (int round = 0; round < 20; ++round) {
    TraceFile file(directory / "t", 64 * kMegabyte);
    PageFeeder feeder(file);
    std::thread starters[3];
    for (std::thread& starter : starters) starter = std::thread([&feeder] { feeder.start(); });
    feeder.stop();
    for (std::thread& starter : starters) starter.join();
    CHECK_EQUAL(feeders(), 0);
  }
}

TEST("nothing is dropped where no thread makes pages ready") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  session->pause_feeder();
  for (std::uint32_t i = 0; i < 300'000; ++i) emit(i);  // 9.6 MB
  CHECK_EQUAL(session->dropped(), 0u);
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").records().size(), 300'000u);
}

TEST("several threads that find nothing ready lose nothing") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  session->pause_feeder();
  std::thread threads[4];
  for (std::thread& thread : threads) {
    thread = std::thread([] {
      for (std::uint32_t i = 0; i < 50'000; ++i) emit(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t dropped = session->dropped();
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").records().size() + dropped, 200'000u);
}

TEST("a child of which no handler of fork() is told records nothing and does not crash") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  const pid_t child = _Fork();
  if (child == 0) _exit(emit(2) || Session::active() != nullptr ? 1 : 0);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK_EQUAL(status, 0);
  CHECK(emit(3));
  stop_session(session);
  CHECK_EQUAL(read_trace(directory / "t").records().size(), 2u);
}

}  // namespace
