// SIGBUS: of the trace's pages it costs the trace, of everything else it is the program's.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <thread>

#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::FilePages;
using gilscope::Session;
using gilscope::testing::emit;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

void cut(const std::string& path) { CHECK_EQUAL(truncate(path.c_str(), 0), 0); }

// A page of a file that ends before it.
volatile char* missing_page(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  CHECK(page != MAP_FAILED);
  return static_cast<volatile char*>(page);
}

std::jmp_buf back;
volatile sig_atomic_t calls = 0;
void* volatile last_address = nullptr;

void on_bus_error(int, siginfo_t* info, void*) {
  calls = calls + 1;
  last_address = info->si_addr;
  if (info->si_code > 0) siglongjmp(back, 1);
}

void set_handler() {
  struct sigaction action{};
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  action.sa_sigaction = on_bus_error;
  CHECK_EQUAL(sigaction(SIGBUS, &action, nullptr), 0);
}

bool handler_is_set() {
  struct sigaction now{};
  CHECK_EQUAL(sigaction(SIGBUS, nullptr, &now), 0);
  return (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error &&
         (now.sa_flags & SA_NODEFER) != 0;
}

bool touch(volatile char* page) {
  if (sigsetjmp(back, 1) != 0) return false;
  page[0] = 1;
  return true;
}

TEST("a program whose trace is cut goes on, and the trace is known to be truncated") {
#if defined(__SANITIZE_THREAD__)
  return;  // a page that is replaced is to it a write that races with every thread's
#endif
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  std::thread threads[3];
  for (std::thread& thread : threads) {
    thread = std::thread([] {
      for (std::uint32_t i = 0; i < 200'000; ++i) emit(i);
    });
  }
  emit(1);
  cut(directory / "t");
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t i = 0; i < 100'000; ++i) emit(i);
  CHECK(session->deactivate());
  session->finish("stop", false);
  CHECK(session->file().fate() == FilePages::Fate::truncated);
  delete session;
}

TEST("a ring goes round over pages that are gone") {
  const TemporaryDirectory directory;
  CHECK(gilscope::ThreadLogs::initialize());
  gilscope::SessionOptions options = gilscope::testing::session_options(directory / "t", 8 << 20);
  options.ring = true;
  auto* session = new Session(options);
  session->activate();
  for (std::uint32_t i = 0; i < 400'000; ++i) emit(i);
  cut(directory / "t");
  for (std::uint32_t i = 0; i < 400'000; ++i) emit(i);
  stop_session(session);
}

TEST("definitions are written into pages that are gone") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  cut(directory / "t");
  for (int i = 0; i < 10'000; ++i) session->string("text " + std::to_string(i));
  stop_session(session);
}

TEST("the program's handler has every other SIGBUS, and is put back") {
  const TemporaryDirectory directory;
  set_handler();
  Session* session = started_session(directory / "t");
  volatile char* page = missing_page(directory / "other");
  CHECK(!touch(page));
  CHECK_EQUAL(calls, 1);
  CHECK(last_address == page);
  raise(SIGBUS);
  CHECK_EQUAL(calls, 2);
  cut(directory / "t");
  for (std::uint32_t i = 0; i < 1000; ++i) emit(i);
  CHECK_EQUAL(calls, 2);
  stop_session(session);
  CHECK(handler_is_set());
}

TEST("a handler that the program sets meanwhile stays") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  set_handler();
  stop_session(session);
  CHECK(handler_is_set());
}

TEST("a program that has no handler ends by a SIGBUS of its own") {
  const TemporaryDirectory directory;
  for (const bool sent : {false, true}) {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGBUS, SIG_DFL);
      started_session(directory / "t");
      sent ? raise(SIGBUS) : missing_page(directory / "other")[0] = 1;
      _exit(0);
    }
    int status = 0;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGBUS);
  }
}

TEST("a program that ignores the signal goes on to do so, and so do those that it starts") {
  const TemporaryDirectory directory;
  signal(SIGBUS, SIG_IGN);
  Session* session = started_session(directory / "t");
  struct sigaction now{};
  CHECK_EQUAL(sigaction(SIGBUS, nullptr, &now), 0);
  CHECK(now.sa_handler == SIG_IGN);
  stop_session(session);
}

}  // namespace
