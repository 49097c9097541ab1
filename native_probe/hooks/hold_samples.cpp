#include "hooks/hold_samples.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "core/native_stack.hpp"
#include "core/sleeping_stack.hpp"
#include "cpython/copied_frames.h"
#include "cpython/stack.hpp"
#include "cpython/thread_state.h"

namespace gilscope::hooks::hold_samples {
namespace {

namespace sample_flag = format::sample_flag;
using native_stack::Stopped;

// Its default is to be ignored: one that comes late, after exec() even, does nothing.
constexpr int kSignal = SIGURG;
// ns of the holder's processor time. The kernel looks at it with each tick, some milliseconds.
constexpr long kSoon = 10'000;

using Addresses = std::array<const void*, 32>;

// Processor time, ns, after which a thread that was asked for the GIL would have released it if it
// ran Python code. Not the time that has passed: it may have had no processor.
constexpr std::uint64_t kPatience = 500'000;

// Of the holder of one GIL.
struct Timer {
  int id = -1;    // the kernel's number
  pid_t tid = 0;  // thread whose processor time it counts
  pid_t pid = 0;  // process that made it: a forked child has none
  bool runs = false;
  // The holder's processor time, ns, when it was first seen to have been asked; 0: not in this
  // hold.
  std::atomic<std::uint64_t> asked{0};
};
Timer timers[kMostGils];

// Of each GIL, where its holder was found asleep last: it is there still if it has not run since,
// and to walk its stack again at each switch interval would take a tenth of a processor. With the
// GIL's mutex held.
struct Asleep {
  pid_t tid = 0;
  std::uint64_t slices = 0;
  std::uint32_t stack = 0;  // 0: none
};
Asleep last_sleeps[kMostGils];

// Null if the signal is not one of our timers'.
const Timer* timer_of(const siginfo_t& info) {
  if (info.si_code != SI_TIMER) return nullptr;
  const auto* timer = static_cast<const Timer*>(info.si_value.sival_ptr);
  const auto address = reinterpret_cast<std::uintptr_t>(timer);
  const auto first = reinterpret_cast<std::uintptr_t>(timers);
  const bool ours = address >= first && address < first + sizeof timers;
  return ours && (address - first) % sizeof(Timer) == 0 ? timer : nullptr;
}

// Of a thread of this process, see clock_getcpuclockid(3) and the kernel's posix-timers.h.
clockid_t processor_clock(pid_t tid) {
  return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6);
}

std::atomic<bool> interrupts{false};

class FrameCopies {
 public:
  FrameCopies() : copies_(gilscope_take_frame_copies()) {}
  ~FrameCopies() {
    if (copies_ != nullptr) gilscope_give_back_frame_copies();
  }
  FrameCopies(const FrameCopies&) = delete;
  FrameCopies& operator=(const FrameCopies&) = delete;
  gilscope_frame_copies* get() { return copies_; }

 private:
  gilscope_frame_copies* copies_;
};

void emit(Recording& recording, std::uint8_t flags, std::uint32_t gil, std::uint32_t holder,
          std::uint32_t stack) {
  recording.emit(format::EventKind::gil_sample, flags, 0, gil, Clock::ticks(), 0, holder, stack);
}

native_stack::Registers registers_of(const void* context) {
  native_stack::Registers registers;
#if defined(__x86_64__)
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  registers.pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
  registers.stack_pointer = static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
  registers.frame_pointer = static_cast<std::uintptr_t>(machine.gregs[REG_RBP]);
#else
  (void)context;
#endif
  return registers;
}

// Of the calling thread, as it was interrupted. The interpreter's own code may have been about to
// link a frame: what is read there is copied, and nothing is read where its loop runs.
std::uint32_t interrupted_stack(Recording& recording, const Addresses& addresses,
                                const Stopped& found) {
  if (found.innermost == Stopped::Innermost::foreign) {
    return stack::capture_behind(recording, addresses.data(), found.count);
  }
  FrameCopies copies;
  if (copies.get() == nullptr) return 0;
  gilscope_copy_frames(gilscope_attached_state(), copies.get());
  return stack::define_copied(recording.session(), addresses.data(), found.count, *copies.get());
}

bool went_on(const Timer& timer) {
  const std::uint64_t asked = timer.asked.load(std::memory_order_relaxed);
  return asked != 0 && nanoseconds(CLOCK_THREAD_CPUTIME_ID) >= asked + kPatience;
}

void sample_itself(Recording& recording, const Timer& timer, const void* context) {
  const format::ThreadSlot& slot = recording.slot();
  if (slot.open_hold == 0) return;  // released meanwhile
  Addresses addresses;
  const Stopped found =
      native_stack::capture_at(registers_of(context), addresses.data(), addresses.size());
  if (found.innermost == Stopped::Innermost::loop) {
    emit(recording, sample_flag::kLoop, slot.open_gil, recording.log().index, 0);
  } else if (found.count != 0) {
    const std::uint32_t stack = interrupted_stack(recording, addresses, found);
    const std::uint8_t flags = went_on(timer) ? sample_flag::kAsked : 0;
    if (stack != 0) emit(recording, flags, slot.open_gil, recording.log().index, stack);
  }
}

// In the thread that holds the GIL, wherever it is.
void interrupted(int, siginfo_t* info, void* context) {
  const Timer* timer = timer_of(*info);
  if (timer == nullptr || ThreadLogs::seen() == nullptr) return;
  const ErrnoKeeper keep_errno;
  Recording recording;
  if (recording) sample_itself(recording, *timer, context);
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == interrupted;
}

bool has_signal() {
  struct sigaction now;
  return sigaction(kSignal, nullptr, &now) == 0 && is_ours(now);
}

// Whether signals of timers on processor time are sent on the way out of the kernel only.
bool kernel_defers_timers() {
  utsname name;
  if (uname(&name) != 0) return false;
  char* end = nullptr;
  const long major = std::strtol(name.release, &end, 10);
  if (*end != '.') return false;
  const long minor = std::strtol(end + 1, nullptr, 10);
  return major > 5 || (major == 5 && minor >= 10);
}

bool take_signal() {
  struct sigaction now;
  if (sigaction(kSignal, nullptr, &now) != 0) return false;
  if (is_ours(now)) return true;
  if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) return false;
  struct sigaction ours{};
  ours.sa_sigaction = interrupted;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&ours.sa_mask);
  sigdelset(&ours.sa_mask, SIGBUS);  // which the trace's file may cause: core/bus_error.hpp
  return sigaction(kSignal, &ours, nullptr) == 0;
}

void give_signal_back() {
  if (!has_signal()) return;
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(kSignal, &standard, nullptr);
}

void define_missing(Session& session, std::string_view reason) {
  session.file().define_not_measured("native_code_that_keeps_the_gil", reason);
}

// True if it sleeps, whether its stack could be read or not.
bool take_asleep(Recording& recording, const Holder& holder) {
  sleeping_stack::Sleep sleep;
  if (!sleeping_stack::look(holder.tid, &sleep)) return false;
  Asleep& last = last_sleeps[holder.gil - 1];
  if (last.stack != 0 && last.tid == holder.tid && last.slices == sleep.slices) {
    emit(recording, sample_flag::kAsleep, holder.gil, holder.thread, last.stack);
    return true;
  }
  const bool releases =
      sleep.call == SYS_futex && sleep.argument == reinterpret_cast<std::uintptr_t>(holder.mutex);
  FrameCopies copies;
  if (releases || copies.get() == nullptr) return true;
  Addresses addresses;
  const Stopped found =
      native_stack::capture_at(sleep.registers, addresses.data(), addresses.size());
  if (found.count == 0 || found.innermost == Stopped::Innermost::loop) return true;
  gilscope_copy_frames(holder.state, copies.get());
  if (!sleeping_stack::still_in(holder.tid, sleep)) return true;
  const std::uint32_t stack =
      stack::define_copied(recording.session(), addresses.data(), found.count, *copies.get());
  if (stack != 0) emit(recording, sample_flag::kAsleep, holder.gil, holder.thread, stack);
  last = {holder.tid, sleep.slices, stack};
  return true;
}

bool make(Timer& timer, pid_t tid) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event.sigev_value.sival_ptr = &timer;
  event._sigev_un._tid = tid;
  if (syscall(SYS_timer_create, processor_clock(tid), &event, &timer.id) != 0) return false;
  timer.tid = tid;
  timer.pid = getpid();
  return true;
}

// `after`: ns, 0: never.
bool set(Timer& timer, long after) {
  itimerspec time{};
  time.it_value.tv_nsec = after;
  const bool done = syscall(SYS_timer_settime, timer.id, 0, &time, nullptr) == 0;
  timer.runs = done && after != 0;
  return done;
}

void forget(Timer& timer) {
  if (timer.tid != 0 && timer.pid == getpid()) syscall(SYS_timer_delete, timer.id);
  timer.tid = 0;
  timer.runs = false;
  timer.asked.store(0, std::memory_order_relaxed);
}

void ask(pid_t tid, Timer& timer) {
  // The program may have installed a handler of its own since.
  if (!interrupts.load(std::memory_order_relaxed) || !has_signal()) return;
  // A signal that is held back would be found by a sigwait() of the program.
  if (sleeping_stack::holds_back(tid, kSignal)) return;
  if (timer.tid == tid && timer.pid == getpid() && set(timer, kSoon)) return;
  // Another thread, perhaps of the same number.
  forget(timer);
  if (make(timer, tid)) set(timer, kSoon);
}

}  // namespace

void begin_session(Session& session) {
  const ErrnoKeeper keep_errno;
  interrupts = false;
  for (Asleep& last : last_sleeps) last = {};  // stacks of another session
  if (!kernel_defers_timers()) {
    define_missing(session, "asleep only: timers on processor time need Linux 5.10");
  } else if (!take_signal()) {
    define_missing(session, "asleep only: the program handles SIGURG");
  } else {
    interrupts = true;
  }
}

void end_session() {
  const ErrnoKeeper keep_errno;
  interrupts = false;
  give_signal_back();
  for (Timer& timer : timers) forget(timer);
}

void after_fork_in_child() { end_session(); }

void look(Recording& recording, const Holder& holder) {
  const ErrnoKeeper keep_errno;
  Timer& timer = timers[holder.gil - 1];
  if (holder.asked && timer.asked.load(std::memory_order_relaxed) == 0) {
    timer.asked.store(nanoseconds(processor_clock(holder.tid)), std::memory_order_relaxed);
  }
  if (!take_asleep(recording, holder)) ask(holder.tid, timer);
}

bool kept(std::uint32_t gil) { return went_on(timers[gil - 1]); }

void stop(std::uint32_t gil) {
  Timer& timer = timers[gil - 1];
  timer.asked.store(0, std::memory_order_relaxed);
  last_sleeps[gil - 1].stack = 0;
  if (!timer.runs || timer.pid != getpid()) return;
  const ErrnoKeeper keep_errno;
  set(timer, 0);
}

}  // namespace gilscope::hooks::hold_samples
