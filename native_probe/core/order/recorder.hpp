// Follows which thread holds what, and keeps in which order it asked: see graph.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/order/graph.hpp"

namespace gilscope::order {

// One lock during its life. Never freed while the session lasts; used again for another lock.
struct Lock {
  std::atomic<LockId> id{0};
  std::atomic<Serial> owner{0};  // serial of the thread that holds it alone, and one more
  std::atomic<bool> has_signal{false};
  std::atomic<bool> is_referenced{false};
  std::uintptr_t address = 0;
  LockInfo info;
  Point signal;
};

struct Held {
  Lock* lock;
  LockId id;
  PlaceId at;
  std::uint32_t depth;
  std::uint32_t gil_turn;
  bool shared;
};

// A thread that the session knows. Its fields belong to whoever has `busy`.
struct Thread {
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  Point now;
  std::vector<Held> held;
  std::vector<Held> given_up;  // wholly, to be acquired again
  std::size_t native_held = 0;
  std::uint32_t gil_turn = 0;  // moves on when native code lets the GIL go or takes it
  bool has_asked_gil = false;  // native code is about to take it
  // These are read by others, too.
  std::atomic<bool> is_native{true};      // not started by Python
  std::atomic<bool> calls_python{false};  // native code of it has asked for the GIL
  std::atomic<bool> has_ended{false};
  std::uint32_t sequence = 0;
  std::uint32_t stretch = 1;  // moves on with `now`
  ThreadPart part;
  std::unordered_map<EdgeKey, std::uint32_t, EdgeHash> edge_numbers;
  std::unordered_map<LockId, std::uint32_t> passed_numbers;

  struct Recent {
    std::uintptr_t address = 0;
    Lock* lock = nullptr;
    LockId id = 0;
    std::uint32_t passed_in = 0;  // stretch in which it was last passed
  };
  static constexpr std::size_t kRecent = 64;
  Recent recent[kRecent];
  Recent& recent_of(std::uintptr_t address) {
    return recent[(address >> 4U ^ address >> 12U) % kRecent];
  }
  struct RecentPlace {
    const void* code = nullptr;
    const void* instruction = nullptr;
    PlaceId place = 0;
  };
  RecentPlace places[kRecent];
};

// What one call does to a thread's part. Nothing happens in a call within a call: that is ours.
class Inside {
 public:
  explicit Inside(Thread* thread)
      : thread_(thread != nullptr && !thread->busy.test_and_set(std::memory_order_acquire)
                    ? thread
                    : nullptr) {}
  ~Inside() {
    if (thread_ != nullptr) thread_->busy.clear(std::memory_order_release);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  explicit operator bool() const { return thread_ != nullptr; }

 private:
  Thread* thread_;
};

class Recorder {
 public:
  // `take_stack`: numbers the calling thread's stack.
  explicit Recorder(StackId (*take_stack)());

  Thread* start(const Point& from);
  // What a thread begins with that the calling one makes.
  static Point fork(Thread& by);
  void set_has_threads() { has_threads_.store(true, std::memory_order_relaxed); }

  // The lock at an address; made known where it is not.
  Lock* find(Thread& thread, std::uintptr_t address, Kind kind);
  // A lock that has just been made there.
  void create(std::uintptr_t address, Kind kind, StackId site);
  void forget(std::uintptr_t address);
  Lock* gil() { return &gil_; }

  // The thread is about to ask, or to wait for what other threads bring about.
  void ask(Thread& thread, Lock* lock, Mode mode, bool shared, PlaceId at, bool has_gil);
  void acquired(Thread& thread, Lock* lock, bool shared, PlaceId at);
  void released(Thread& thread, Lock* lock, bool wholly);
  void acquired_again(Thread& thread, Lock* lock, PlaceId at);
  // `except`: a lock that is given back meanwhile; nullptr: none.
  void wait(Thread& thread, Lock* resource, const Lock* except, bool has_gil);
  static void provide(Thread& thread, Lock* resource);

  // What the thread has for itself now; returns the id that the next lock will get.
  LockId held_at_fork(Thread& thread, std::vector<LockId>* held);

  // What the calling thread has done is known to whoever learns this.
  static Point tell(Thread& thread);
  static void learn(Thread& thread, const Point& point);

  // Native threads that have asked for the GIL and have not ended.
  std::size_t native_callers();
  // From now on the interpreter could end at any moment.
  void set_is_ending() { is_ending_.store(true, std::memory_order_relaxed); }
  bool is_ending() const { return is_ending_.load(std::memory_order_relaxed); }
  // Of native threads, since then.
  std::uint64_t late_requests() const { return late_requests_.load(std::memory_order_relaxed); }
  void add_late_request(Thread& thread);

  // All threads' parts, once nothing is recorded any more.
  template <typename Visit>
  void for_each_thread(Visit visit) {
    const std::lock_guard<std::mutex> guard(threads_mutex_);
    for (const auto& thread : threads_) {
      while (!is_over_ && thread->busy.test_and_set(std::memory_order_acquire)) {
      }
      visit(*thread);
    }
    is_over_ = true;  // every thread stays shut out
  }
  std::map<LockId, LockInfo> locks();

 private:
  struct Stripe {
    std::mutex mutex;
    std::unordered_map<std::uintptr_t, Lock*> locks;
    std::map<LockId, LockInfo> gone;
  };
  Stripe& stripe(std::uintptr_t address) { return stripes_[(address >> 4U) % kStripes]; }
  Lock* take_lock();
  void put(Stripe& place, std::uintptr_t address, Kind kind, StackId site);
  static void end_life(Stripe& place, Lock* lock);

  static void drop_stale(Thread& thread);
  void add_edges(Thread& thread, Lock* lock, Mode mode, bool shared, PlaceId at, bool has_gil,
                 const Lock* except);
  void add_edge(Thread& thread, Edge edge, const Lock* except);
  void pass(Thread& thread, Lock* lock, bool shared);

  static constexpr LockId kGil = 1;
  static constexpr std::size_t kStripes = 64;
  static constexpr std::size_t kMostEdges = 50000;   // a thread
  static constexpr std::size_t kMostPassed = 50000;  // a thread
  static constexpr std::size_t kMostTimes = 16;

  StackId (*take_stack_)();
  std::atomic<bool> has_threads_{false};
  std::atomic<bool> is_ending_{false};
  std::atomic<std::uint64_t> late_requests_{0};
  std::atomic<LockId> next_id_{2};
  Stripe stripes_[kStripes];
  std::mutex free_mutex_;
  std::deque<Lock> all_;
  std::vector<Lock*> free_;
  Lock gil_;
  std::mutex threads_mutex_;
  bool is_over_ = false;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace gilscope::order
