// Locks of native code, as an extension module and as a plain library that is loaded late. Scenes:
// one thread holds, others wait until it sees them asleep, then it lets go.
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace stage {

using Facts = std::vector<std::pair<const char*, long>>;

std::mutex the_mutex;  // a variable with a name
static std::shared_mutex shared;
static std::condition_variable condition;
static std::condition_variable_any any_condition;

long tid() { return syscall(SYS_gettid); }

void sleep_ms(long ms) {
  timespec time{ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&time, nullptr);
}

// Whether the thread sleeps in the kernel, which it is given ten seconds for.
bool asleep(long thread) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
  int seen = 0;
  for (int i = 0; i < 10'000; ++i) {
    char state = '?';
    if (FILE* file = std::fopen(path, "r")) {
      if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = '?';
      std::fclose(file);
    }
    seen = state == 'S' ? seen + 1 : 0;
    if (seen == 3) return true;
    sleep_ms(1);
  }
  return false;
}

// A thread, and the kernel's number for it.
class Actor {
 public:
  explicit Actor(std::function<void()> body)
      : thread_([this, body] {
          id_ = stage::tid();
          body();
        }) {
    while (id_ == 0) sched_yield();
  }
  ~Actor() { join(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  long tid() const { return id_; }

 private:
  std::atomic<long> id_{0};
  std::thread thread_;
};

template <typename T>
long address(T& object) {
  return static_cast<long>(reinterpret_cast<std::uintptr_t>(&object));
}

timespec in_ms(clockid_t clock, long ms) {
  timespec time{};
  clock_gettime(clock, &time);
  time.tv_nsec += ms * 1'000'000;
  time.tv_sec += time.tv_nsec / 1'000'000'000;
  time.tv_nsec %= 1'000'000'000;
  return time;
}

// A thread holds, another one waits.
Facts held(std::function<void()> take, std::function<void()> give, std::function<void()> want,
           long lock) {
  std::atomic<bool> taken{false};
  std::atomic<bool> go{false};
  Actor holder([&] {
    take();
    taken = true;
    while (!go) sleep_ms(1);
    give();
  });
  while (!taken) sched_yield();
  Actor waiter(want);
  const bool slept = asleep(waiter.tid());
  go = true;
  holder.join();
  waiter.join();
  return {{"holder", holder.tid()}, {"waiter", waiter.tid()}, {"address", lock}, {"slept", slept}};
}

Facts mutex() {
  return held([] { the_mutex.lock(); }, [] { the_mutex.unlock(); },
              [] { std::lock_guard<std::mutex> lock(the_mutex); }, address(the_mutex));
}

Facts shared_reader() {
  return held([] { shared.lock(); }, [] { shared.unlock(); },
              [] { std::shared_lock<std::shared_mutex> lock(shared); }, address(shared));
}

Facts shared_writer() {
  return held([] { shared.lock_shared(); }, [] { shared.unlock_shared(); },
              [] { std::unique_lock<std::shared_mutex> lock(shared); }, address(shared));
}

Facts timed_mutex() {
  static std::timed_mutex timed;
  return held([] { timed.lock(); }, [] { timed.unlock(); },
              [] {
                if (timed.try_lock_for(std::chrono::seconds(20))) timed.unlock();
              },
              address(timed));
}

Facts timed_out() {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static long result[3];
  std::atomic<bool> done{false};
  pthread_mutex_lock(&lock);
  Actor waiter([&] {
    const timespec until = in_ms(CLOCK_REALTIME, 20);
    result[0] = pthread_mutex_timedlock(&lock, &until);
    const timespec monotonic = in_ms(CLOCK_MONOTONIC, 20);
    result[1] = pthread_mutex_clocklock(&lock, CLOCK_MONOTONIC, &monotonic);
    result[2] = pthread_mutex_clocklock(&lock, CLOCK_MONOTONIC, &monotonic);
    done = true;
  });
  waiter.join();
  pthread_mutex_unlock(&lock);
  bool as_it_is = true;
  for (const long r : result) as_it_is &= r == ETIMEDOUT;
  return {
      {"holder", tid()}, {"waiter", waiter.tid()}, {"address", address(lock)}, {"right", as_it_is}};
}

Facts condition_variable() {
  static std::mutex guard;
  bool ready = false;
  Actor waiter([&] {
    std::unique_lock<std::mutex> lock(guard);
    condition.wait(lock, [&] { return ready; });
  });
  const bool slept = asleep(waiter.tid());
  {
    std::lock_guard<std::mutex> lock(guard);
    ready = true;
    condition.notify_one();
  }
  waiter.join();
  return {{"waiter", waiter.tid()}, {"address", address(condition)}, {"slept", slept}};
}

Facts condition_timed() {
  static std::mutex guard;
  Actor waiter([&] {
    std::unique_lock<std::mutex> lock(guard);
    condition.wait_for(lock, std::chrono::milliseconds(20));
    condition.wait_until(lock, std::chrono::system_clock::now() + std::chrono::milliseconds(20));
  });
  waiter.join();
  return {{"waiter", waiter.tid()}, {"address", address(condition)}};
}

Facts condition_any() {
  static std::recursive_mutex guard;
  bool ready = false;
  Actor waiter([&] {
    std::unique_lock<std::recursive_mutex> lock(guard);
    any_condition.wait(lock, [&] { return ready; });
  });
  const bool slept = asleep(waiter.tid());
  {
    std::lock_guard<std::recursive_mutex> lock(guard);
    ready = true;
    any_condition.notify_all();
  }
  waiter.join();
  return {{"waiter", waiter.tid()}, {"address", address(any_condition)}, {"slept", slept}};
}

// A thread that is cancelled while it waits.
Facts cancelled() {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  static std::atomic<long> id;
  static std::atomic<bool> unwound;
  id = 0;
  unwound = false;
  pthread_t thread;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        struct Guard {
          ~Guard() {
            pthread_mutex_unlock(&lock);
            unwound = true;
          }
        };
        id = tid();
        pthread_mutex_lock(&lock);
        const Guard guard;
        for (;;) pthread_cond_wait(&never, &lock);
      },
      nullptr);
  while (id == 0) sched_yield();
  const bool slept = asleep(id);
  pthread_cancel(thread);
  void* result = nullptr;
  pthread_join(thread, &result);
  const long free = pthread_mutex_trylock(&lock) == 0;
  if (free != 0) pthread_mutex_unlock(&lock);
  return {{"waiter", id},
          {"address", address(never)},
          {"slept", slept},
          {"right", result == PTHREAD_CANCELED && unwound && free != 0}};
}

// Everything that these functions may answer; each of it as text, for a comparison with and without
// the probe.
long answers(char* text, std::size_t size) {
  std::string all;
  auto say = [&all](const char* what, long value) {
    all += std::string(what) + "=" + std::to_string(value) + " ";
  };
  auto kind = [](int type, int robust, int protocol) {
    auto* mutex = new pthread_mutex_t;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    if (pthread_mutex_init(mutex, &attributes) != 0) std::memset(mutex, 0, sizeof *mutex);
    pthread_mutexattr_destroy(&attributes);
    return mutex;
  };
  const int types[] = {PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
  for (const int type : types) {
    for (const int robust : {PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST}) {
      for (const int protocol : {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT}) {
        pthread_mutex_t* mutex = kind(type, robust, protocol);
        const timespec until = in_ms(CLOCK_REALTIME, 5);
        say("first", pthread_mutex_lock(mutex));
        say("again", pthread_mutex_lock(mutex));
        say("timed", pthread_mutex_timedlock(mutex, &until));
        std::thread([&] {
          say("other", pthread_mutex_timedlock(mutex, &until));
          const timespec wrong{0, 2'000'000'000};
          say("wrong time", pthread_mutex_timedlock(mutex, &wrong));
          say("wrong clock", pthread_mutex_clocklock(mutex, 77, &until));
        }).join();
        say("owner", mutex->__data.__owner == tid());
        for (int i = 0; i < 3; ++i) say("unlock", pthread_mutex_unlock(mutex));
        const timespec wrong{0, -1};
        say("free, wrong time", pthread_mutex_timedlock(mutex, &wrong));
        pthread_mutex_unlock(mutex);
        say("free, wrong clock", pthread_mutex_clocklock(mutex, 77, &until));
        pthread_mutex_unlock(mutex);
        if (robust == PTHREAD_MUTEX_ROBUST) {
          std::thread([mutex] { pthread_mutex_lock(mutex); }).join();
          say("dead", pthread_mutex_lock(mutex));
          pthread_mutex_unlock(mutex);  // not made consistent
          say("lost", pthread_mutex_lock(mutex));
        }
        delete mutex;
      }
    }
  }
  pthread_mutex_t* ceiling =
      kind(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_PROTECT);
  say("ceiling", pthread_mutex_lock(ceiling));
  delete ceiling;
  for (const int preference :
       {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP}) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, preference);
    pthread_rwlock_t lock;
    pthread_rwlock_init(&lock, &attributes);
    const timespec until = in_ms(CLOCK_REALTIME, 5);
    const timespec wrong{0, 2'000'000'000};
    say("read", pthread_rwlock_rdlock(&lock));
    say("read twice", pthread_rwlock_rdlock(&lock));
    say("write", pthread_rwlock_timedwrlock(&lock, &until));
    say("write, wrong clock", pthread_rwlock_clockwrlock(&lock, 77, &until));
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_unlock(&lock);
    say("write", pthread_rwlock_wrlock(&lock));
    say("write twice", pthread_rwlock_wrlock(&lock));
    say("read own", pthread_rwlock_rdlock(&lock));
    say("timed read own", pthread_rwlock_timedrdlock(&lock, &until));
    std::thread([&] {
      say("read other", pthread_rwlock_timedrdlock(&lock, &until));
      say("clock read other", pthread_rwlock_clockrdlock(&lock, CLOCK_REALTIME, &until));
    }).join();
    pthread_rwlock_unlock(&lock);
    say("free, wrong time", pthread_rwlock_timedrdlock(&lock, &wrong));
    say("free, wrong time", pthread_rwlock_timedwrlock(&lock, &wrong));
    pthread_rwlock_destroy(&lock);
  }
  pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  const timespec past{1, 0};
  const timespec wrong{0, -1};
  pthread_mutex_lock(&plain);
  say("wait", pthread_cond_timedwait(&cond, &plain, &past));
  say("wait, wrong time", pthread_cond_timedwait(&cond, &plain, &wrong));
  say("wait, wrong clock", pthread_cond_clockwait(&cond, &plain, 77, &past));
  errno = 1234;
  pthread_cond_clockwait(&cond, &plain, CLOCK_MONOTONIC, &past);
  say("errno", errno);
  pthread_mutex_unlock(&plain);
  std::snprintf(text, size, "%s", all.c_str());
  return static_cast<long>(all.size());
}

// Takes locks that nobody else wants.
Facts uncontended() {
  static std::recursive_mutex recursive;
  for (int i = 0; i < 1000; ++i) {
    std::lock_guard<std::mutex> a(the_mutex);
    std::lock_guard<std::recursive_mutex> b(recursive);
    std::lock_guard<std::recursive_mutex> c(recursive);
    std::shared_lock<std::shared_mutex> d(shared);
  }
  return {{"waiter", tid()}, {"address", address(the_mutex)}};
}

// Two threads that wait for each other; they never end.
Facts deadlock() {
  static std::mutex first;
  static std::mutex second;
  static std::atomic<int> both;
  both = 0;
  auto grab = [](std::mutex& one, std::mutex& other) {
    one.lock();
    ++both;
    while (both < 2) sched_yield();
    other.lock();
  };
  auto* a = new Actor([grab] { grab(first, second); });
  auto* b = new Actor([grab] { grab(second, first); });
  const bool slept = asleep(a->tid()) && asleep(b->tid());
  return {{"first", a->tid()}, {"second", b->tid()}, {"slept", slept}};
}

// ns of a lock and unlock that nobody disturbs.
double pair_ns(long n) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < n; ++i) {
    pthread_mutex_lock(the_mutex.native_handle());
    pthread_mutex_unlock(the_mutex.native_handle());
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(n);
}

struct Scene {
  const char* name;
  Facts (*play)();
};

const Scene scenes[] = {{"mutex", mutex},
                        {"shared_reader", shared_reader},
                        {"shared_writer", shared_writer},
                        {"timed_mutex", timed_mutex},
                        {"timed_out", timed_out},
                        {"condition_variable", condition_variable},
                        {"condition_timed", condition_timed},
                        {"condition_any", condition_any},
                        {"cancelled", cancelled},
                        {"uncontended", uncontended},
                        {"deadlock", deadlock}};

}  // namespace stage

// For ctypes: plays a scene and writes its facts as "name=value " to `text`; the length.
extern "C" __attribute__((visibility("default"))) long play(const char* name, char* text,
                                                            std::size_t size) {
  if (std::strcmp(name, "answers") == 0) return stage::answers(text, size);
  for (const stage::Scene& scene : stage::scenes) {
    if (std::strcmp(name, scene.name) != 0) continue;
    std::string all;
    for (const auto& [fact, value] : scene.play()) {
      all += std::string(fact) + "=" + std::to_string(value) + " ";
    }
    std::snprintf(text, size, "%s", all.c_str());
    return static_cast<long>(all.size());
  }
  return -1;
}

extern "C" __attribute__((visibility("default"))) double pair_ns(long n) {
  return stage::pair_ns(n);
}
