#include "core/page_feeder.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/clock.hpp"
#include "core/hang_report.hpp"

namespace gilscope {
namespace {

// A quarter of a millisecond's work, and room for 16,000 events.
constexpr std::size_t kLeastAhead = 512 << 10;
constexpr std::size_t kMostAhead = 64 << 20;
// While pages are made, threads of the program wait that want memory mapped.
constexpr std::size_t kStep = 256 << 10;
// In a ring: for definitions and slots, which need little.
constexpr std::size_t kFrontAhead = 128 << 10;
// Enough for what this thread does, where the program asks for megabytes.
constexpr std::size_t kStack = std::size_t{128} << 10;
constexpr long kPeriod = 100'000'000;                  // ns
constexpr std::uint64_t kReserve = 250'000'000;        // ns that the space ready should last for
constexpr std::uint64_t kShortest = 5'000'000;         // ns that a rate is taken over
constexpr long kSecond = 1'000'000'000;                // ns
constexpr std::uint64_t kClockPeriod = 1'000'000'000;  // ns
constexpr std::uint64_t kSamplePeriod = 90'000'000;    // ns; a little less than kPeriod
constexpr std::uint64_t kSampleShare = 200;            // of this thread's time, one part
constexpr std::uint64_t kPatience = 2'000'000'000;     // ns

}  // namespace

PageFeeder::PageFeeder(TraceFile& file, std::function<void()> sample)
    : file_(file), sample_(std::move(sample)), ahead_(kLeastAhead) {
  sem_init(&wake_, 0, 0);
}

PageFeeder::~PageFeeder() { sem_destroy(&wake_); }

bool PageFeeder::change(State from) {
  return state_.compare_exchange_strong(from, State::changing, std::memory_order_acq_rel);
}

// A small stack; where what the program keeps in each thread does not fit there, the usual one.
bool PageFeeder::create() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  const bool created = pthread_create(&thread_, &attributes, main, this) == 0;
  pthread_attr_destroy(&attributes);
  return created || pthread_create(&thread_, nullptr, main, this) == 0;
}

void PageFeeder::start() {
  if (state_.load(std::memory_order_relaxed) != State::idle || !change(State::idle)) return;
  const int kept_errno = errno;
  end_.store(false, std::memory_order_relaxed);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Signals are the program's: none may be delivered to our thread. But SIGBUS tells it of pages
  // that are gone.
  sigdelset(&all, SIGBUS);
  const bool masked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
  const bool started = create();
  if (started) pthread_setname_np(thread_, "gilscope");
  state_.store(started ? State::running : State::idle, std::memory_order_release);
  if (masked) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = kept_errno;
}

void PageFeeder::join() {
  end_.store(true, std::memory_order_release);
  sem_post(&wake_);
  pthread_join(thread_, nullptr);
  wait_until_forgotten(tid_.load(std::memory_order_relaxed), kPatience);
}

bool PageFeeder::pause() {
  if (!running() || thread_count() > 2 || !change(State::running)) return false;
  join();
  state_.store(State::idle, std::memory_order_release);
  return true;
}

void PageFeeder::stop() {
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  for (;;) {
    State idle = State::idle;
    if (state_.compare_exchange_strong(idle, State::stopped, std::memory_order_acq_rel)) return;
    if (idle == State::stopped) return;
    if (change(State::running)) {
      join();
      state_.store(State::stopped, std::memory_order_release);
      return;
    }
    // Another thread is starting it. If that one was suspended, the session is kept for ever.
    if (nanoseconds(CLOCK_MONOTONIC) > deadline) return;
    sched_yield();
  }
}

// Once for each shortage, and not at all where the feeder cannot help: to wake it up costs as much
// as hundreds of records.
void PageFeeder::call() {
  if (state_.load(std::memory_order_relaxed) != State::running) return;
  if (file_.at_limit(TraceFile::Part::events) || file_.cannot_grow()) return;
  if (file_.ready_ahead(TraceFile::Part::events) >= ahead_.load(std::memory_order_relaxed) / 2) {
    return;
  }
  if (!called_.exchange(true, std::memory_order_relaxed)) sem_post(&wake_);
}

void* PageFeeder::main(void* feeder) {
  static_cast<PageFeeder*>(feeder)->run();
  return nullptr;
}

void PageFeeder::run() {
  tid_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_relaxed);
  next_clock_ = nanoseconds(CLOCK_MONOTONIC) + kClockPeriod;
  looked_at_ = 0;
  while (!end_.load(std::memory_order_acquire)) {
    follow_rate();
    keep_ready();
    sample();
    take_hang_report(file_);
    wait();
  }
}

void PageFeeder::sample() {
  const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC);
  if (now >= next_clock_) {
    sample_clock(file_);
    next_clock_ = now + kClockPeriod;
  }
  if (now < next_sample_ || !sample_ || file_.is_ring() || file_.at_limit()) return;
  sample_();
  const std::uint64_t end = nanoseconds(CLOCK_MONOTONIC);
  next_sample_ = end + std::max(kSamplePeriod, (end - now) * kSampleShare);
}

// A program that records much, and keeps the processors busy, must not run out of pages while this
// thread waits for its turn.
void PageFeeder::follow_rate() {
  const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC);
  if (now - looked_at_ < kShortest) return;
  const std::uint64_t taken = file_.taken();
  if (looked_at_ != 0) {
    const double rate =
        static_cast<double>(taken - taken_before_) / static_cast<double>(now - looked_at_);
    const auto needed = static_cast<std::size_t>(rate * static_cast<double>(kReserve));
    // Down slowly: bursts come again.
    const std::size_t slow = ahead_.load(std::memory_order_relaxed) / 8 * 7;
    ahead_.store(std::clamp(std::max(needed, slow), kLeastAhead, kMostAhead),
                 std::memory_order_relaxed);
  }
  looked_at_ = now;
  taken_before_ = taken;
}

void PageFeeder::keep_ready() {
  if (file_.is_ring() && file_.ready_ahead() < kFrontAhead) file_.extend(2 * kFrontAhead);
  const auto events = TraceFile::Part::events;
  const std::size_t ahead = ahead_.load(std::memory_order_relaxed);
  if (file_.ready_ahead(events) >= ahead / 2) return;
  // In steps: the first of them ends a shortage as early as can be.
  while (!end_.load(std::memory_order_relaxed) && file_.ready_ahead(events) < ahead &&
         file_.extend(file_.ready_ahead(events) + kStep, events)) {
  }
}

void PageFeeder::wait() {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += kPeriod;
  if (until.tv_nsec >= kSecond) {
    until.tv_nsec -= kSecond;
    ++until.tv_sec;
  }
  sem_clockwait(&wake_, CLOCK_MONOTONIC, &until);
  called_.store(false, std::memory_order_relaxed);
}

long thread_count() {
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512] = {};
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  // Fields are counted from the end of the name, which may have anything in it.
  const char* at = n > 0 ? std::strrchr(text, ')') : nullptr;
  constexpr int kFieldsBetween = 18;  // from the name to num_threads, see proc(5)
  for (int i = 0; at != nullptr && i < kFieldsBetween; ++i) at = std::strchr(at + 1, ' ');
  return at != nullptr ? std::strtol(at, nullptr, 10) : 0;
}

bool single_threaded() {
  // The C library knows it of a process that never had another thread, and need not ask the system.
  if (__libc_single_threaded != 0) return true;
  return thread_count() == 1;
}

void wait_until_forgotten(pid_t tid, std::uint64_t longest_ns) {
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + longest_ns;
  while (syscall(SYS_tgkill, getpid(), tid, 0) == 0 && nanoseconds(CLOCK_MONOTONIC) < deadline) {
    sched_yield();
  }
}

void sample_clock(TraceFile& file) {
  const Clock::Sample now = Clock::sample();
  file.define(format::ClockBody{now.ticks, now.monotonic, now.realtime});
}

}  // namespace gilscope
