// One function for each way in which native code waits. Called with the GIL, or attached, they wait
// for a thread that calls back into Python first, and so waits for the GIL or to stop the world.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#ifdef WITH_TBB
#include <tbb/parallel_for.h>
#include <tbb/task_group.h>
#endif

using Callback = void (*)();

namespace {

/// Gives the waiting thread time to get there first.
void later(Callback callback) {
  usleep(200000);
  callback();
}

std::FILE* stream() {
  static std::FILE* const file = std::fopen("/dev/null", "w");
  return file;
}

}  // namespace

extern "C" {

void row_openmp(Callback callback) {
#pragma omp parallel num_threads(2)
  {
    int id = 0;
#ifdef _OPENMP
    extern int omp_get_thread_num(void);
    id = omp_get_thread_num();
#endif
    if (id == 1) {
      later(callback);
    }
  }
}

void row_future(Callback callback) {
  std::promise<int> promise;
  std::thread thread([&] {
    later(callback);
    promise.set_value(1);
  });
  promise.get_future().get();
  thread.join();
}

void row_async(Callback callback) {
  std::async(std::launch::async, [&] { later(callback); }).get();
}

void row_atomic(Callback callback) {
  std::atomic<int> flag{0};
  std::thread thread([&] {
    later(callback);
    flag = 1;
    flag.notify_all();
  });
  flag.wait(0);
  thread.join();
}

void row_stdio(Callback callback) {
  std::atomic<int> locked{0};
  std::FILE* const file = stream();
  std::thread thread([&] {
    flockfile(file);
    locked = 1;
    later(callback);
    funlockfile(file);
  });
  while (locked == 0) {
    usleep(1000);
  }
  std::fputs("text", file);
  thread.join();
}

void row_write_lock(Callback callback) {
  static std::shared_mutex mutex;
  std::atomic<int> locked{0};
  std::thread thread([&] {
    const std::unique_lock guard(mutex);
    locked = 1;
    later(callback);
  });
  while (locked == 0) {
    usleep(1000);
  }
  mutex.lock_shared();
  thread.join();
}

void row_read_lock(Callback callback) {
  static std::shared_mutex mutex;
  std::atomic<int> locked{0};
  std::thread thread([&] {
    const std::shared_lock guard(mutex);
    locked = 1;
    later(callback);
  });
  while (locked == 0) {
    usleep(1000);
  }
  mutex.lock();
  thread.join();
}

/// Wants to write what it reads itself.
void row_upgrade(Callback /*callback*/) {
  static std::shared_mutex mutex;
  mutex.lock_shared();
  mutex.lock();
}

void row_barrier(Callback callback) {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 2);
  std::thread thread([&] {
    later(callback);
    pthread_barrier_wait(&barrier);
  });
  pthread_barrier_wait(&barrier);
  thread.join();
}

void row_join(Callback callback) {
  std::thread thread([&] { later(callback); });
  thread.join();
}

void row_condition(Callback callback) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread thread([&] {
    later(callback);
    const std::lock_guard guard(mutex);
    done = true;
    changed.notify_all();
  });
  {
    std::unique_lock guard(mutex);
    changed.wait(guard, [&] { return done; });
  }
  thread.join();
}

void row_call_once(Callback callback) {
  static std::once_flag flag;
  std::atomic<int> begun{0};
  std::thread thread([&] {
    std::call_once(flag, [&] {
      begun = 1;
      later(callback);
    });
  });
  while (begun == 0) {
    usleep(1000);
  }
  std::call_once(flag, [] {});
  thread.join();
}

/// A loop without system calls.
void row_spin(Callback callback) {
  std::atomic<int> flag{0};
  std::thread thread([&] {
    later(callback);
    flag = 1;
  });
  while (flag.load(std::memory_order_acquire) == 0) {
  }
  thread.join();
}

#ifdef WITH_TBB
void row_tbb(Callback callback) {
  tbb::task_group group;
  group.run([&] { later(callback); });
  usleep(100000);
  group.wait();
}
#endif

}  // extern "C"
