// A native library that calls back, in the ways that libraries have. It knows nothing of Python.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace relay {

using Callback = std::function<void(int)>;

/// Takes log records; derive from it. Native threads call it, several at a time.
class Logger {
 public:
  Logger() = default;
  Logger(const Logger&) = default;
  Logger& operator=(const Logger&) = default;
  virtual ~Logger() = default;
  virtual void log(int level, const std::string& text) = 0;
};

/// Calls `callback` with 0 to `calls` - 1 from the calling thread.
void forward(const Callback& callback, int calls);

/// The same from each of `threads` threads at once; they are called relay-0, relay-1, …
void forward_from_threads(const Callback& callback, int threads, int calls);

/// Logs `records` records from each of `threads` threads at once, called relay-0, relay-1, …
void log_from_threads(Logger& logger, int threads, int records);

/// A number that takes `steps` steps to compute, and calls nobody.
std::uint64_t compute(int steps);

/// Lets a thread called rival wait for a std::mutex that the calling thread holds, `rounds` times:
/// the mutex is given up when the kernel says that the rival sleeps. Returns the rounds in which it
/// went to sleep.
int contend(int rounds);

}  // namespace relay
