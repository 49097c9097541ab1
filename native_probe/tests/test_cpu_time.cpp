// Samples of how long threads ran, in the trace.
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/cpu_time.hpp"
#include "tests/harness.hpp"
#include "tests/trace_reading.hpp"

namespace {

using gilscope::CpuTime;
using gilscope::CpuTimes;
using gilscope::Session;
using gilscope::format::CpuTimeBody;
using gilscope::format::DefinitionTag;
using gilscope::testing::contents;
using gilscope::testing::emit;
using gilscope::testing::read_trace;
using gilscope::testing::started_session;
using gilscope::testing::stop_session;
using gilscope::testing::TemporaryDirectory;

std::vector<CpuTimeBody> samples_of(const std::string& path, std::uint32_t thread) {
  std::vector<CpuTimeBody> found;
  for (const auto& definition : read_trace(path).definitions(DefinitionTag::cpu_time)) {
    for (std::size_t i = 0; i + sizeof(CpuTimeBody) <= definition.body.size();
         i += sizeof(CpuTimeBody)) {
      CpuTimeBody body;
      std::memcpy(&body, definition.body.data() + i, sizeof body);
      if (body.thread == thread) found.push_back(body);
    }
  }
  return found;
}

std::uint64_t own_cpu_time() {
  CpuTime time{};
  CHECK(gilscope::read_cpu_time(gettid(), &time));
  return time.on_cpu;
}

// Runs until the kernel's count of it has grown.
void run_a_little() {
  const std::uint64_t before = own_cpu_time();
  while (own_cpu_time() < before + 1'000'000) {
  }
}

TEST("a thread's time on a processor is known at its end") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  std::atomic<std::uint64_t> at_least{0};
  std::thread other([&] {
    CHECK(emit(2));
    run_a_little();
    at_least = own_cpu_time();
  });
  other.join();
  stop_session(session);
  const auto samples = samples_of(directory / "t", 2);
  CHECK(!samples.empty());
  CHECK(samples.back().on_cpu >= at_least);
}

TEST("a thread that lives is sampled at the session's end") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  CHECK(emit(1));
  run_a_little();
  const std::uint64_t before = own_cpu_time();
  stop_session(session);
  const auto samples = samples_of(directory / "t", 1);
  CHECK(!samples.empty());
  CHECK(samples.back().on_cpu >= before);
  CHECK(samples.back().on_cpu <= own_cpu_time());
}

// A thread that sleeps until it is told to go on, twice.
class Sleeper {
 public:
  Sleeper() {
    CHECK_EQUAL(pipe(pipe_), 0);
    thread_ = std::thread([this] {
      tid_ = gettid();
      char byte = 0;
      for (int i = 0; i < 2; ++i) {
        CHECK_EQUAL(read(pipe_[0], &byte, 1), 1);
        // A virtual machine's kernel may count nothing at all for a short run: what the host took
        // is subtracted.
        run_a_little();
      }
    });
    while (tid_ == 0) std::this_thread::yield();
  }
  ~Sleeper() {
    wake();
    thread_.join();
    close(pipe_[0]);
    close(pipe_[1]);
  }
  void wake() { CHECK_EQUAL(write(pipe_[1], "", 1), 1); }
  bool sleeps() const {
    // A thread that is about to sleep counts as asleep, but has not given the processor up yet.
    const std::string status = contents("/proc/self/task/" + std::to_string(tid_) + "/status");
    return status.find("State:\tS") != std::string::npos &&
           status.find("\nvoluntary_ctxt_switches:\t0\n") == std::string::npos;
  }
  pid_t tid() const { return tid_; }

 private:
  int pipe_[2] = {};
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

TEST("of a pause both ends are sampled, and nothing in between") {
  const TemporaryDirectory directory;
  Session* session = started_session(directory / "t");
  constexpr std::uint32_t kThread = 900;  // none of the session's own
  CpuTimes times(session->file());
  {
    Sleeper sleeper;
    while (!sleeper.sleeps()) std::this_thread::yield();
    for (int i = 0; i < 4; ++i) times.sample(kThread, sleeper.tid());
    CpuTime before{};
    CpuTime after{};
    CHECK(gilscope::read_cpu_time(sleeper.tid(), &before));
    sleeper.wake();
    do {
      CHECK(gilscope::read_cpu_time(sleeper.tid(), &after));
    } while (after.on_cpu == before.on_cpu);
    times.sample(kThread, sleeper.tid());
    times.write();
  }
  stop_session(session);
  const auto samples = samples_of(directory / "t", kThread);
  CHECK_EQUAL(samples.size(), 3u);
  CHECK_EQUAL(samples[0].on_cpu, samples[1].on_cpu);
  CHECK(samples[0].ticks < samples[1].ticks && samples[1].ticks < samples[2].ticks);
  CHECK(samples[1].on_cpu < samples[2].on_cpu);
}

TEST("there is no time of a thread that does not exist") {
  CpuTime time{};
  CHECK(!gilscope::read_cpu_time(1 << 30, &time));
}

}  // namespace
