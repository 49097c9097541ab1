// Where the system refuses membarrier(), as some containers do.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <string>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::Session;
using gilscope::format::ChunkKind;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

// For the rest of the process.
void refuse(unsigned call, unsigned error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST("without membarrier() a session ends in order while threads record") {
  refuse(SYS_membarrier, EPERM);
  const TemporaryDirectory directory;
  CHECK(gilscope::ThreadLogs::initialize());
  std::atomic<bool> end{false};
  std::thread threads[3];
  for (std::thread& thread : threads) {
    thread = std::thread([&end] {
      while (!end) emit(1);
    });
  }
  for (int round = 0; round < 20; ++round) {
    Session* session = started_session(directory / "t");
    CHECK(Session::needs_fences());
    while (!emit(2)) std::this_thread::yield();
    stop_session(session);
    CHECK(!read_trace(directory / "t").json(ChunkKind::end).empty());
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
}

TEST("a session whose end nobody can order for all threads has an END, and counts its events") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  for (std::uint32_t i = 0; i < 1000; ++i) emit(i);
  refuse(SYS_membarrier, ENOSYS);
  CHECK(!session->deactivate());
  CHECK_EQUAL(session->events_in_file(), 1000u);
  session->abandon("stop", false);
  const auto trace = read_trace(directory / "t");
  CHECK_EQUAL(trace.records().size(), 1000u);
  CHECK(trace.json(ChunkKind::end).find(R"("reason": "stop")") != std::string::npos);
  gilscope::testing::keep_for_ever(session);
}

}  // namespace
