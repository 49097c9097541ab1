#include "core/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "core/clock.hpp"

// Two processes are made. A program that is executed sends SIGCHLD at its end whatever it was
// started with, so it cannot be our child; and an orphan becomes a child of init or of a subreaper,
// which this process may be. So the program is the child of a process that only looks after it,
// which executes nothing, sends no signal and is found by no waitpid() without __WCLONE. Both run
// in our memory, as the child of a vfork() does, while the calling thread is suspended: no page
// table is copied, and no handler of fork() runs. docs/decisions/0012 has more.
#ifdef __SANITIZE_THREAD__
// The same function under another name. ThreadSanitizer takes each clone() for a fork(): in a child
// with our memory it would tell this very thread that it is in a copy now, and to watch no more.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define clone __clone
#endif

namespace gilscope {
namespace {

constexpr std::size_t kStack = 64 << 10;
constexpr std::size_t kMostOutput = 16 << 10;
constexpr int kMostDescriptors = 65536;  // where they must be closed one by one

struct Job {
  char* const* command;
  char* const* environment;
  char* program_stack;  // its end
  std::uint64_t deadline;
  char output[kMostOutput];
  std::size_t size;
  int error;
  bool timed_out;
};

// In both processes only what may be called after a vfork(): they share errno with the caller, too.

void close_from(int first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMostDescriptors));
  for (int i = first; i < most; ++i) close(i);
}

// Descriptors 0 to 2, and a pipe at kChildPipe and after it.
bool make_descriptors() {
  if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2) return false;
  int ends[2];
  return pipe2(ends, O_CLOEXEC) == 0 && ends[0] == kChildPipe && ends[1] == kChildPipe + 1;
}

void set_limits() {
  for (const auto resource : {RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0) continue;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

void reset_signals() {
  // By the kernel's call: glibc keeps two signals to itself, which whoever was made by
  // posix_spawn() ignores. All zeros are the standard action.
  const std::uintptr_t standard[8] = {};
  constexpr std::size_t kSignalSetSize = 8;
  for (int i = 1; i <= 64; ++i) syscall(SYS_rt_sigaction, i, standard, nullptr, kSignalSetSize);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

int be_program(void* data) {
  Job& job = *static_cast<Job*>(data);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  set_limits();
  const sched_param normal{};
  sched_setscheduler(0, SCHED_OTHER, &normal);
  reset_signals();
  if (dup2(kChildPipe + 1, kChildPipe) == kChildPipe) {
    execve(job.command[0], job.command, job.environment);
  }
  job.error = errno;
  _exit(127);
}

void read_output(Job& job) {
  while (job.size < sizeof job.output) {
    const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    pollfd ready{kChildPipe, POLLIN, 0};
    const int left = now < job.deadline ? static_cast<int>((job.deadline - now) / 1'000'000) : 0;
    const int n = poll(&ready, 1, left);
    if (n == 0) {
      job.timed_out = true;
      return;
    }
    if (n < 0 && errno != EINTR) return;
    if (n < 0) continue;
    const ssize_t got = read(kChildPipe, job.output + job.size, sizeof job.output - job.size);
    if (got <= 0) return;
    job.size += static_cast<std::size_t>(got);
  }
}

int look_after_program(void* data) {
  Job& job = *static_cast<Job*>(data);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  close_from(0);
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, nullptr);  // where it is ignored, nothing is left to wait for
  if (!make_descriptors()) {
    job.error = errno;
    _exit(0);
  }
  const pid_t program =
      clone(be_program, job.program_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
  if (program < 0) {
    job.error = errno;
    _exit(0);
  }
  close(kChildPipe + 1);
  read_output(job);
  // It has said what it had to say, or takes too long.
  kill(program, SIGKILL);
  while (waitpid(program, nullptr, 0) < 0 && errno == EINTR) {
  }
  _exit(0);
}

struct Start {
  char* const* command;
  char* const* environment;
  char* program_stack;  // its end
  const int* descriptors;
  int count;
  pid_t program;
  int error;
};

constexpr int kOutOfTheWay = 64;  // more than there are descriptors to keep
constexpr int kNiceness = 10;

bool keep_descriptors(const Start& start) {
  int moved[kOutOfTheWay];
  for (int i = 0; i < start.count; ++i) {
    moved[i] = fcntl(start.descriptors[i], F_DUPFD, kOutOfTheWay);
    if (moved[i] < 0) return false;
  }
  for (int i = 0; i < start.count; ++i) {
    if (dup2(moved[i], i) != i) return false;
  }
  close_from(start.count);
  return true;
}

int be_started(void* data) {
  Start& start = *static_cast<Start*>(data);
  setsid();
  set_limits();
  setpriority(PRIO_PROCESS, 0, kNiceness);
  reset_signals();
  if (keep_descriptors(start)) execve(start.command[0], start.command, start.environment);
  start.error = errno;
  _exit(127);
}

// Ends at once, so that the program becomes an orphan.
int start_and_leave(void* data) {
  Start& start = *static_cast<Start*>(data);
  start.program = clone(be_started, start.program_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  if (start.program < 0) start.error = errno;
  _exit(0);
}

bool is_given_orphans() {
  int subreaper = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  return getpid() == 1 || subreaper != 0;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// The calling thread sleeps meanwhile, and its signals wait: a handler must not run in a process
// that has our memory and not our identity.
int run(int (*keep)(void*), void* job, char* stack) {
  sigset_t all;
  sigset_t before;
  int cancellation = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  const pid_t keeper = clone(keep, stack + kStack, CLONE_VM | CLONE_VFORK, job);
  const int failure = keeper < 0 ? errno : 0;
  while (keeper > 0 && waitpid(keeper, nullptr, __WCLONE) < 0 && errno == EINTR) {
  }
  pthread_setcancelstate(cancellation, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure;
}

}  // namespace

ChildOutput output_of(const std::vector<std::string>& command,
                      const std::vector<std::string>& environment, std::uint64_t patience) {
  ChildOutput result;
  const std::vector<char*> words = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  const int errno_before = errno;
  // Two stacks, and what all three processes share.
  const std::size_t size = 2 * kStack + sizeof(Job);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    result.error = ENOMEM;
    errno = errno_before;
    return result;
  }
  auto* stacks = static_cast<char*>(memory);
  Job& job = *reinterpret_cast<Job*>(stacks + 2 * kStack);
  job.command = words.data();
  job.environment = variables.data();
  job.program_stack = stacks + 2 * kStack;
  job.deadline = nanoseconds(CLOCK_MONOTONIC) + patience;
  const int failure = run(look_after_program, &job, stacks);
  result.error = failure != 0 ? failure : job.error;
  result.timed_out = job.timed_out;
  result.text.assign(job.output, job.size);
  munmap(memory, size);
  errno = errno_before;
  return result;
}

int start_program(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment,
                  const std::vector<int>& descriptors) {
  if (descriptors.size() >= kOutOfTheWay || is_given_orphans()) return -EPERM;
  const std::vector<char*> words = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  const int errno_before = errno;
  void* memory =
      mmap(nullptr, 2 * kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    errno = errno_before;
    return -ENOMEM;
  }
  auto* stacks = static_cast<char*>(memory);
  Start start{words.data(),
              variables.data(),
              stacks + 2 * kStack,
              descriptors.data(),
              static_cast<int>(descriptors.size()),
              -1,
              0};
  const int failure = run(start_and_leave, &start, stacks);
  munmap(memory, 2 * kStack);
  const int error = failure != 0 ? failure : start.error;
#ifdef PR_SET_PTRACER
  if (error == 0) prctl(PR_SET_PTRACER, static_cast<unsigned long>(start.program), 0, 0, 0);
#endif
  errno = errno_before;
  return error != 0 ? -error : start.program;
}

}  // namespace gilscope
