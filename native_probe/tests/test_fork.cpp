// Forked children, and processes that are killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Session;
using gilscope::ThreadLogs;
using gilscope::format::ChunkKind;
using gilscope::testing::contents;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::ReadTrace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

// What the child's body returns, or the negative number of the signal that ended it. The child ends
// without any of the parent's cleaning up.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void after_fork() {
  Session::after_fork();
  ThreadLogs::after_fork();
}

TEST("a forked child records nothing, and its parent goes on recording") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  const int recorded = in_child([] {
    after_fork();
    return emit(2) ? 1 : 0;
  });
  CHECK_EQUAL(recorded, 0);
  CHECK(emit(3));
  stop_session(session);
  const auto records = read_trace(directory / "t").records();
  CHECK_EQUAL(records.size(), 2u);
  CHECK_EQUAL(records[1].what, 3u);
}

TEST("the parent's trace is not even mapped in a forked child") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  const int result = in_child([&] {
    return contents("/proc/self/maps").find(directory / "t") == std::string::npos ? 0 : 1;
  });
  CHECK_EQUAL(result, 0);
  stop_session(session);
}

TEST("a forked child can have a session of its own") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "parent");
  std::thread([] { emit(1); }).join();
  const int result = in_child([&directory] {
    after_fork();
    Session* own = new Session(gilscope::testing::session_options(directory / "child"));
    // Without activate(): a sanitizer refuses new threads after a fork of several.
    const bool declared = own->declare(static_cast<std::uint32_t>(getpid()), 1, 0, "child");
    own->finish("stop", false);
    return declared ? 0 : 1;
  });
  CHECK_EQUAL(result, 0);
  CHECK_EQUAL(read_trace(directory / "child").slots().size(), 1u);
  stop_session(session);
}

TEST("a child that is forked in the middle of a hook has no log that is busy for ever") {
  CHECK(ThreadLogs::initialize());
  const gilscope::Recording nothing;
  gilscope::ThreadLog* log = ThreadLogs::current();
  log->busy = gilscope::StackMark::kForEver;
  const int busy = in_child([] {
    ThreadLogs::after_fork();
    return static_cast<int>(ThreadLogs::current()->busy.load());
  });
  log->busy = 0;
  CHECK_EQUAL(busy, 0);
}

TEST("what a process had recorded when it was killed is in the file") {
  const TemporaryDirectory directory;
  const int ended = in_child([&directory] {
    started_session(directory / "t");
    for (std::uint32_t i = 0; i < 5000; ++i) emit(i);
    return raise(SIGKILL);
  });
  CHECK_EQUAL(ended, -SIGKILL);
  const ReadTrace trace = read_trace(directory / "t");
  const auto records = trace.records();
  CHECK_EQUAL(records.size(), 5000u);
  CHECK_EQUAL(records.back().what, 4999u);
  CHECK_EQUAL(trace.json(ChunkKind::end), "");
}

TEST("the file of a process that was killed tells what was open in its threads' slots") {
  const TemporaryDirectory directory;
  in_child([&directory] {
    started_session(directory / "t");
    gilscope::Recording recording;
    recording.slot().open_hold = 12345;
    return raise(SIGKILL);
  });
  const auto slots = read_trace(directory / "t").slots();
  CHECK_EQUAL(slots.size(), 1u);
  CHECK_EQUAL(slots[0].open_hold, 12345u);
}

}  // namespace
