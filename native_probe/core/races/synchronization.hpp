// What orders threads: locks, and all else that one thread gives and another one takes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/races/locksets.hpp"
#include "core/races/objects.hpp"
#include "core/races/threads.hpp"

namespace gilscope::races {

class Synchronization {
 public:
  // Locks and the rest have numbers from one space: those of objects, or addresses of native locks.
  using Id = std::uint64_t;

  // A lock was acquired; before it is released. Only the outermost of nested ones orders anything.
  void acquire(Thread& thread, Id lock);
  void release(Thread& thread, Id lock);
  // Gives up an RLock wholly, however often it was acquired, as conditions do.
  void release_all(Thread& thread, Id lock);
  // Takes it again as often.
  void acquire_again(Thread& thread, Id lock);

  // Locks that have ended while they were held are held no more.
  void let_go_dead(Thread& thread, const Objects& objects);

  // Number of the set of locks that the thread holds. A lock that another thread has released is
  // none of them, nor is one that was acquired after that, until its next release: threads signal
  // each other by it, as conditions do, and it protects nothing.
  std::uint32_t lockset(Thread& thread) {
    const bool is_known =
        thread.is_numbered && thread.signals == signals_.load(std::memory_order_acquire);
    return is_known ? thread.lockset : number_lockset(thread);
  }

  // One thread gives, as by putting something into a queue; another one takes, after it.
  void give(Thread& thread, Id token);
  void take(Thread& thread, Id token);
  // The same of one thing among many: who takes it knows of its giver only. `item` tells apart what
  // is in the container at the same time. Of very many at once, all are known to each taker.
  void give_item(Thread& thread, Id container, std::uint32_t item);
  void take_item(Thread& thread, Id container, std::uint32_t item);

  // Locks of a library's own bookkeeping: they protect what is done while they are held, but that
  // one thread has them before another one is chance. `ignore` leaves them out altogether.
  void weaken(Id lock);
  void ignore(Id lock);
  void forget(Id id);

  const Locksets& locksets() const { return locksets_; }

 private:
  struct Point {
    Order order;
    std::uint32_t holder = 0;    // serial + 1
    std::uint32_t releaser = 0;  // serial + 1, and its clock then: nothing to learn from oneself
    Clock released = 0;
    std::uint32_t items = 0;  // of a container: that are in it; of an item: how often
    bool weak = false;
    bool ignored = false;
    bool is_signal = false;  // released by another thread than its holder, not used since then
  };
  struct Stripe {
    std::mutex mutex;
    std::unordered_map<Id, Point> points;
    std::unordered_map<Id, Point> items;
  };
  static constexpr std::uint32_t kMostItems = 4096;  // of a container
  static Id item_id(Id container, std::uint32_t item) { return container << 32 | item; }
  Stripe& stripe(Id id) { return stripes_[(id * 0x9E3779B97F4A7C15u) >> 58]; }
  void hold(Thread& thread, Id lock);
  // Whether the thread held it and holds it no more.
  bool let_go(Thread& thread, Id lock, bool wholly);
  std::uint32_t number_lockset(Thread& thread);
  bool is_held_by(const Thread& thread, Id lock);
  void publish(Thread& thread, Id lock);

  std::array<Stripe, 64> stripes_;
  Locksets locksets_;
  std::atomic<std::uint32_t> signals_{0};
};

}  // namespace gilscope::races
