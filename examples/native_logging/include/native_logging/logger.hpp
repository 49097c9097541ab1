#pragma once

#include <functional>
#include <string>
#include <vector>

namespace native_logging {

/// The usual severities, with the usual numbers.
enum class Level { debug = 10, info = 20, warning = 30, error = 40 };

struct Record {
  Level level;
  std::string message;
};

/// Where log records go. Derive from it to send them elsewhere.
///
/// Worker threads call a logger while they compute, several of them at a time: an implementation
/// makes itself safe for that. An exception it throws ends the work that logged.
class Logger {
 public:
  Logger() = default;
  virtual ~Logger() = default;
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  /// Runs once on each worker thread; `work` is all that the worker does and logs.
  /// Override it to set up something for the thread, around the call of `work`.
  virtual void run_worker(const std::function<void()>& work);

  virtual void log(Level level, const std::string& message) = 0;

  /// Takes several records of one thread, in order; by default, one after the other.
  virtual void log_batch(const std::vector<Record>& records);
};

}  // namespace native_logging
