#include "relay.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "relay_c.h"

namespace relay {
namespace {

void name_this_thread(const std::string& name) { pthread_setname_np(pthread_self(), name.c_str()); }

template <typename Work>
void on_threads(int threads, const Work& work) {
  std::vector<std::thread> started;
  started.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    started.emplace_back([i, &work] {
      name_this_thread("relay-" + std::to_string(i));
      work();
    });
  }
  for (std::thread& thread : started) thread.join();
}

char state_of(long tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(file, line);
  // "tid (name) S …": the name may hold anything, so from the right.
  const std::size_t end = line.rfind(')');
  return end != std::string::npos && end + 2 < line.size() ? line[end + 2] : '?';
}

bool sleeps(long tid) {
  constexpr std::chrono::seconds kPatience{30};
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (state_of(tid) == 'S') return true;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return false;
}

bool contend_once(std::mutex& mutex) {
  std::atomic<long> tid{0};
  mutex.lock();
  std::thread rival([&] {
    name_this_thread("rival");
    tid = syscall(SYS_gettid);
    const std::lock_guard<std::mutex> lock(mutex);
  });
  while (tid == 0) std::this_thread::yield();
  const bool slept = sleeps(tid);
  mutex.unlock();
  rival.join();
  return slept;
}

}  // namespace

void forward(const Callback& callback, int calls) {
  for (int i = 0; i < calls; ++i) callback(i);
}

void forward_from_threads(const Callback& callback, int threads, int calls) {
  on_threads(threads, [&] { forward(callback, calls); });
}

void log_from_threads(Logger& logger, int threads, int records) {
  on_threads(threads, [&] {
    for (int i = 0; i < records; ++i) logger.log(20, "record " + std::to_string(i));
  });
}

std::uint64_t compute(int steps) {
  std::uint64_t value = 1;
  for (int i = 0; i < steps; ++i) value = value * 6364136223846793005ULL + 1442695040888963407ULL;
  return value;
}

int contend(int rounds) {
  std::mutex mutex;
  int slept = 0;
  for (int i = 0; i < rounds; ++i) slept += contend_once(mutex) ? 1 : 0;
  return slept;
}

}  // namespace relay

namespace {

class CLogger : public relay::Logger {
 public:
  CLogger(relay_log* log, void* context) : log_(log), context_(context) {}
  void log(int level, const std::string& text) override { log_(context_, level, text.c_str()); }

 private:
  relay_log* log_;
  void* context_;
};

relay::Callback bound(relay_callback* callback, void* context) {
  return [=](int i) { callback(context, i); };
}

}  // namespace

void relay_forward(relay_callback* callback, void* context, int calls) {
  relay::forward(bound(callback, context), calls);
}

void relay_forward_from_threads(relay_callback* callback, void* context, int threads, int calls) {
  relay::forward_from_threads(bound(callback, context), threads, calls);
}

void relay_log_from_threads(relay_log* log, void* context, int threads, int records) {
  CLogger logger(log, context);
  relay::log_from_threads(logger, threads, records);
}

uint64_t relay_compute(int steps) { return relay::compute(steps); }

int relay_contend(int rounds) { return relay::contend(rounds); }
