#include "core/keeper.hpp"

#include <signal.h>
#include <time.h>

#include <cstdint>

#include "core/clock.hpp"

namespace gilscope {
namespace {

constexpr std::size_t kLowWater = 2 << 20;
constexpr std::size_t kAhead = 16 << 20;
constexpr std::size_t kStep = 4 << 20;
constexpr long kPeriod = 100'000'000;                  // ns
constexpr long kSecond = 1'000'000'000;                // ns
constexpr std::uint64_t kClockPeriod = 1'000'000'000;  // ns

}  // namespace

Keeper::Keeper(TraceFile& file) : file_(file) { sem_init(&wake_, 0, 0); }

Keeper::~Keeper() { sem_destroy(&wake_); }

void Keeper::start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Signals are the program's: none may be delivered to our thread.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  started_ = pthread_create(&thread_, nullptr, main, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started_) pthread_setname_np(thread_, "gilscope");
}

void Keeper::stop() {
  if (!started_) return;
  stop_.store(true, std::memory_order_release);
  sem_post(&wake_);
  pthread_join(thread_, nullptr);
}

// Once for each shortage, and not at all where the keeper cannot help: to wake it up costs as much
// as hundreds of records.
void Keeper::call() {
  if (!started_ || file_.ready_ahead() >= kLowWater) return;
  if (file_.at_limit() || file_.disk_full()) return;
  if (!called_.exchange(true, std::memory_order_relaxed)) sem_post(&wake_);
}

void* Keeper::main(void* keeper) {
  static_cast<Keeper*>(keeper)->run();
  return nullptr;
}

void Keeper::run() {
  std::uint64_t next_sample = nanoseconds(CLOCK_MONOTONIC) + kClockPeriod;
  while (!stop_.load(std::memory_order_acquire)) {
    keep_ready();
    const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (now >= next_sample) {
      sample_clock(file_);
      next_sample = now + kClockPeriod;
    }
    wait();
  }
}

void Keeper::keep_ready() {
  if (file_.ready_ahead() >= kLowWater) return;
  // In steps: the first of them ends a shortage as early as can be.
  while (file_.ready_ahead() < kAhead && file_.extend(file_.ready_ahead() + kStep)) {
  }
}

void Keeper::wait() {
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

void sample_clock(TraceFile& file) {
  const Clock::Sample now = Clock::sample();
  file.define(format::DefinitionTag::clock, &now, sizeof now);
}

}  // namespace gilscope
