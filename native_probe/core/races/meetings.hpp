// Makes a race happen: holds a thread at one of its accesses until another one comes by.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/races/clocks.hpp"

namespace gilscope::races {

// What a thread that comes to a place does: it is held there, or it is what one that is held waits
// for. A lock that both threads need is taken before their accesses: then they wait at what takes
// it, and `first` is where the thread that is to be held uses the variable before.
enum class Role : std::uint8_t { hold, pass, pass_too, first, hold_at_lock, wait_at_lock };

// A place that a thread has come to, and the variable that it is about to use.
struct Arrival {
  std::uint32_t site = 0;
  std::uint32_t thread = 0;  // serial
  ObjectId object = 0;
  Key key = 0;
};

// Of one plan, for the report.
struct MeetingCount {
  std::uint32_t holds = 0;     // how often a thread was held
  std::uint32_t meetings = 0;  // how often the other one came by meanwhile
};

// A plan names the places of one race. Nobody waits longer than `limit_ms` at once, and not more
// often than `kMostHolds` in vain: a program that takes a lock around one of the accesses goes on.
class Meetings {
 public:
  static constexpr std::uint32_t kMostHolds = 10;

  explicit Meetings(std::uint32_t limit_ms = 200) : limit_ms_(limit_ms) {}

  // The number of a new plan. The thread that is held stays so until another one has come by with
  // the same variable, or, if there are two passes, with both accesses to the same object.
  // `kind`: what the upper 4 bits of the variable's key are; 0: anything.
  std::size_t add(bool has_two_passes, std::uint32_t kind);
  void place(std::uint32_t site, std::size_t plan, Role role);

  bool is_used() const { return is_used_.load(std::memory_order_acquire); }
  bool has(std::uint32_t site) const;
  // Before the access. May wait: the caller holds nothing that other threads need.
  void arrive(const Arrival& arrival);
  // The thread is about to take a lock.
  void arrive_at_lock(std::uint32_t site, std::uint32_t thread);
  // After the access. Whoever waited for it goes on.
  void passed(const Arrival& arrival);

  std::vector<MeetingCount> counts() const;

 private:
  struct Plan {
    bool has_two_passes = false;
    std::uint32_t kind = 0;
    bool is_held = false;
    bool is_waited_for = false;  // a thread stands at a `pass`, until one is held
    Arrival held;
    std::uint32_t passing = 0;  // the thread that did one of two
    std::uint8_t done = 0;      // which of two it did
    std::uint32_t waits = 0;
    MeetingCount count;
    bool waits_at_lock = false;
    std::unordered_map<std::uint32_t, Arrival> firsts;  // by thread

    bool is_about(Key key) const { return kind == 0 || key >> 60 == kind; }
    bool is_over() const { return count.meetings != 0; }
    bool is_met_by(const Arrival& other) const {
      return is_held && held.thread != other.thread && held.object == other.object &&
             (has_two_passes || held.key == other.key);
    }
  };
  struct Task {
    std::size_t plan;
    Role role;
  };
  std::vector<Task> tasks_of(std::uint32_t site) const;
  bool hold(std::unique_lock<std::mutex>& lock, std::size_t plan, const Arrival& arrival);
  void wait_for_held(std::unique_lock<std::mutex>& lock, std::size_t plan, const Arrival& arrival);

  const std::uint32_t limit_ms_;
  std::atomic<bool> is_used_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Plan> plans_;
  std::unordered_multimap<std::uint32_t, Task> places_;
};

}  // namespace gilscope::races
