#include "core/bus_error.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "core/file_pages.hpp"

namespace gilscope::bus_error {
namespace {

// The session's, the self-test's, and what could not be waited for.
constexpr int kGuarded = 8;
std::atomic<FilePages*> guarded[kGuarded];

// What the program had set when ours was set. Written before ours is, and never while ours is set,
// but for `once`.
struct sigaction before;
std::atomic<bool> once{false};  // the program's handler wanted to be called once, and was

std::mutex changing;

bool mend(const void* address) {
  for (auto& place : guarded) {
    FilePages* pages = place.load(std::memory_order_acquire);
    if (pages != nullptr && pages->mend(address)) return true;
  }
  return false;
}

// As the signal's default action: the instruction is executed again, or the signal is sent again,
// and it ends the program.
void end_program(int signal, const siginfo_t* info) {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

void pass_on(int signal, siginfo_t* info, void* context) {
  const bool spent = (before.sa_flags & SA_RESETHAND) != 0 && once.exchange(true);
  if (spent || before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    end_program(signal, info);
  } else if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else {
    before.sa_handler(signal);
  }
}

void handle(int signal, siginfo_t* info, void* context) {
  const int kept_errno = errno;
  // Positive: the kernel found it, at this address; else a process sent it.
  if (info->si_code > 0 && mend(info->si_addr)) {
    errno = kept_errno;
    return;
  }
  errno = kept_errno;
  pass_on(signal, info, context);
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == handle;
}

// The program's handler runs as it would: with its mask, on its stack, and so on.
void set() {
  struct sigaction now{};
  if (sigaction(SIGBUS, nullptr, &now) != 0) return;
  // Ours already: a handler that came after it put it back when it went.
  if (is_ours(now)) return;
  // A process that ignores a signal passes that on to its children; a handler would not be.
  if (now.sa_handler == SIG_IGN) return;
  before = now;
  once = false;
  struct sigaction ours = now;
  if (now.sa_handler == SIG_DFL) {
    ours.sa_flags = SA_ONSTACK | SA_RESTART;
    sigemptyset(&ours.sa_mask);
  }
  ours.sa_flags |= SA_SIGINFO;
  ours.sa_flags &= ~static_cast<int>(SA_RESETHAND);
  ours.sa_sigaction = handle;
  sigaction(SIGBUS, &ours, nullptr);
}

// A handler that came after ours may call ours, or put it back: ours then passes all on.
void put_back() {
  struct sigaction now{};
  if (sigaction(SIGBUS, nullptr, &now) != 0 || !is_ours(now)) return;
  if (once) before.sa_handler = SIG_DFL;
  sigaction(SIGBUS, &before, nullptr);
}

}  // namespace

void guard(FilePages* pages) {
  const std::lock_guard<std::mutex> lock(changing);
  bool first = true;
  for (auto& place : guarded) first = first && place.load() == nullptr;
  for (auto& place : guarded) {
    FilePages* none = nullptr;
    if (place.compare_exchange_strong(none, pages)) break;
  }
  if (first) set();
}

void release(FilePages* pages) {
  const std::lock_guard<std::mutex> lock(changing);
  bool had = false;
  bool last = true;
  for (auto& place : guarded) {
    FilePages* expected = pages;
    had = place.compare_exchange_strong(expected, nullptr) || had;
    last = last && place.load() == nullptr;
  }
  if (had && last) put_back();
}

void after_fork() {
  new (&changing) std::mutex;
  bool any = false;
  for (auto& place : guarded) any = place.exchange(nullptr) != nullptr || any;
  if (any) put_back();
}

}  // namespace gilscope::bus_error
