#include "core/sleeping_stack.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/session.hpp"

namespace gilscope::sleeping_stack {
namespace {

constexpr std::size_t kText = 256;  // bytes: one line of numbers

bool read_line(pid_t tid, const char* name, char* text, std::size_t size) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/%s", static_cast<int>(tid), name);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, size - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  return true;
}

// "on_cpu runnable slices". The last one is counted when the thread gets a processor; the first one
// is late while it runs.
bool read_slices(pid_t tid, std::uint64_t* slices) {
  char text[kText];
  if (!read_line(tid, "schedstat", text, sizeof text)) return false;
  char* at = text;
  std::strtoull(at, &at, 10);
  std::strtoull(at, &at, 10);
  if (*at != ' ') return false;
  *slices = std::strtoull(at, &at, 10);
  return *slices != 0;
}

// "running", or the system call's number, six arguments (none if the number is -1), the stack
// pointer and the program counter.
bool read_registers(pid_t tid, Sleep* sleep) {
  char text[kText];
  if (!read_line(tid, "syscall", text, sizeof text) || std::strncmp(text, "running", 7) == 0)
    return false;
  char* at = text;
  sleep->call = std::strtol(at, &at, 10);
  for (int i = 0; sleep->call != -1 && i < 6; ++i) {
    const std::uintptr_t argument = std::strtoull(at, &at, 16);
    if (i == 0) sleep->argument = argument;
  }
  sleep->registers.stack_pointer = std::strtoull(at, &at, 16);
  sleep->registers.pc = std::strtoull(at, &at, 16);
  return sleep->registers.stack_pointer != 0 && sleep->registers.pc != 0;
}

}  // namespace

bool look(pid_t tid, Sleep* sleep) {
  const ErrnoKeeper keep_errno;
  // In this order: a thread that ran after the first look has more slices at a later one.
  return read_slices(tid, &sleep->slices) && read_registers(tid, sleep);
}

bool still_in(pid_t tid, const Sleep& sleep) {
  const ErrnoKeeper keep_errno;
  std::uint64_t slices = 0;
  return read_slices(tid, &slices) && slices == sleep.slices;
}

bool holds_back(pid_t tid, int signal) {
  const ErrnoKeeper keep_errno;
  char text[kText * 4];
  if (!read_line(tid, "stat", text, sizeof text)) return true;
  // "pid (name) state ...": the name may have anything in it. The mask is field 32.
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 32; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return true;
  const std::uint64_t blocked = std::strtoull(at, nullptr, 10);
  return (blocked >> (signal - 1) & 1) != 0;
}

}  // namespace gilscope::sleeping_stack
