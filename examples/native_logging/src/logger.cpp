#include "native_logging/logger.hpp"

namespace native_logging {

void Logger::run_worker(const std::function<void()>& work) { work(); }

void Logger::log_batch(const std::vector<Record>& records) {
  for (const Record& record : records) log(record.level, record.message);
}

}  // namespace native_logging
