#include "core/thread_log.hpp"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>

#include "core/session.hpp"

namespace gilscope {
namespace {

pthread_key_t exit_key;
bool initialized = false;

// glibc runs the destructors of thread-specific data up to four times. Others' destructors may
// still enter Python; so ours asks to be called again until the last round.
constexpr std::uint32_t kExitRounds = PTHREAD_DESTRUCTOR_ITERATIONS - 1;

}  // namespace

__thread ThreadLog* ThreadLogs::current_ = nullptr;
std::atomic<ThreadLog*> ThreadLogs::blocks_[kCapacity / kBlock];
// For what little a thread still does after its log was given back: for ever busy, so that nothing
// is recorded. A log of its own would never be given back.
ThreadLog ThreadLogs::exited_{{StackMark::kForEver}};
bool ThreadLogs::key_is_small_ = false;
std::atomic<std::uint32_t> ThreadLogs::high_water_{0};
std::atomic<std::uint64_t> ThreadLogs::free_{0};
std::atomic<std::uint64_t> ThreadLogs::ends_begun_{0};
std::atomic<std::uint64_t> ThreadLogs::ends_done_{0};

bool ThreadLogs::initialize() {
  if (initialized) return true;
  if (block(0) == nullptr || pthread_key_create(&exit_key, thread_exit) != 0) return false;
  // glibc has room for the first 32 keys in the thread itself.
  key_is_small_ = exit_key < 32;
  initialized = true;
  return true;
}

ThreadLog* ThreadLogs::block(std::uint32_t number) {
  ThreadLog* there = blocks_[number].load(std::memory_order_acquire);
  if (there != nullptr) return there;
  // Zeros are a valid ThreadLog.
  void* memory = mmap(nullptr, sizeof(ThreadLog) * kBlock, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* fresh = static_cast<ThreadLog*>(memory);
  if (blocks_[number].compare_exchange_strong(there, fresh, std::memory_order_acq_rel)) {
    return fresh;
  }
  munmap(memory, sizeof(ThreadLog) * kBlock);
  return there;
}

ThreadLog* ThreadLogs::take() {
  std::uint64_t top = free_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(top) != 0) {
    ThreadLog* log = at(static_cast<std::uint32_t>(top) - 1);
    // The counter in the upper half makes a top that was popped and pushed meanwhile differ.
    const std::uint64_t next =
        ((top >> 32) + 1) << 32 | log->next_free.load(std::memory_order_relaxed);
    if (free_.compare_exchange_weak(top, next, std::memory_order_acq_rel)) return log;
  }
  std::uint32_t n = high_water_.load(std::memory_order_relaxed);
  do {
    // First the room, then the number: a thread that walks all logs finds each of them.
    if (n == kCapacity || block(n / kBlock) == nullptr) return nullptr;
  } while (!high_water_.compare_exchange_weak(n, n + 1, std::memory_order_acq_rel));
  at(n)->place = n;
  return at(n);
}

void ThreadLogs::give_back(ThreadLog* log) {
  const std::uint32_t place = log->place + 1;
  std::uint64_t top = free_.load(std::memory_order_relaxed);
  std::uint64_t next;
  do {
    log->next_free.store(static_cast<std::uint32_t>(top), std::memory_order_relaxed);
    next = ((top >> 32) + 1) << 32 | place;
  } while (!free_.compare_exchange_weak(top, next, std::memory_order_acq_rel));
}

ThreadLog* ThreadLogs::attach() {
  if (!initialized) return nullptr;
  const ErrnoKeeper keep_errno;
  ThreadLog* log = take();
  if (log == nullptr) return nullptr;
  // What belongs to a session is left to join(): one that is being stopped may still have to seal
  // what the log's last thread wrote.
  // Atomic: others look for the thread of a thread state, cpython/own_state.cpp.
  __atomic_store_n(&log->tid, static_cast<std::uint32_t>(syscall(SYS_gettid)), __ATOMIC_RELAXED);
  log->origin = 0;
  log->attached_in = Session::active_id();
  log->exit_rounds = 0;
  log->callbacks.session = 0;
  log->joined = false;
  log->own_session = 0;
  current_ = log;
  pthread_setspecific(exit_key, log);
  return log;
}

void ThreadLogs::set_origin(format::ThreadFlag origin) {
  ThreadLog* log = current();
  if (log != nullptr && log != &exited_) log->origin = origin;
}

void ThreadLogs::thread_exit(void* data) {
  auto* log = static_cast<ThreadLog*>(data);
  if (++log->exit_rounds < kExitRounds) {
    pthread_setspecific(exit_key, log);
    return;
  }
  if (log->joined) {
    Recording recording;
    if (recording) recording.session().leave(log);
  }
  current_ = &exited_;
  give_back(log);
}

void ThreadLogs::after_fork() {
  if (!initialized) return;
  pthread_setspecific(exit_key, nullptr);
  current_ = nullptr;
  // All that were ever taken: one of them may have been in the middle of a hook.
  const std::uint32_t used = high_water_.exchange(0, std::memory_order_relaxed);
  free_.store(0, std::memory_order_relaxed);
  ends_begun_.store(0, std::memory_order_relaxed);
  ends_done_.store(0, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < used; ++i) new (at(i)) ThreadLog();
}

}  // namespace gilscope
