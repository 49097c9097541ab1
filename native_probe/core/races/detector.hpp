// Decides for each access which earlier ones of other threads it is not ordered after.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "core/races/candidates.hpp"
#include "core/races/handover.hpp"
#include "core/races/objects.hpp"
#include "core/races/shadow.hpp"
#include "core/races/synchronization.hpp"
#include "core/races/threads.hpp"

namespace gilscope::races {

struct Options {
  std::size_t max_variables = std::size_t{4} << 20;
  bool publications = false;  // keep what is unordered and nothing more
  bool suspected = false;     // keep what chance has ordered
  bool locks_shadow = true;   // threads run at once; else whoever calls holds the GIL
};

class Detector {
 public:
  explicit Detector(const Options& options) : options_(options), shadow_(options.max_variables) {}

  // The thread does `op` to the variable `key` of the object. What is new of it is in
  // `thread.new_candidates`. Whether doing so again would change nothing.
  bool access(Thread& thread, const Object& object, Key key, Op op, std::uint32_t site,
              std::uint32_t stack);

  // How often another thread has come to a variable that the thread with this slot had alone.
  std::uint32_t taken(Slot slot) const { return taken_[slot].load(std::memory_order_relaxed); }

  Threads& threads() { return threads_; }
  Objects& objects() { return objects_; }
  Synchronization& synchronization() { return synchronization_; }
  Handover& handover() { return handover_; }
  Candidates& candidates() { return candidates_; }
  Shadow& shadow() { return shadow_; }
  const Options& options() const { return options_; }

 private:
  struct Now {
    Thread& thread;
    const Object& object;
    Key key;
    Op op;
    Timed access;
  };
  bool in_cell(Stripe& stripe, Cell& cell, const Now& now);
  void keep(Cell& cell, const Now& now) const;
  void share(Stripe& stripe, Cell& cell);
  bool in_shared(Shared& shared, Now now);

  void read(Shared& shared, History& own, const Now& now);
  void same_check(const Writes& theirs, const History& of, const Seen& self, const Now& now);
  void read_against(const History& other, History& own, const Now& now);
  void witness(const Shared& shared, const History& own, const Now& now);
  void write(Shared& shared, History& own, const Now& now);
  void write_against(const History& other, const History& own, const Now& now);
  void pair_against(const Writes& other, const History& of, const Seen& self, const Now& now);
  // A thread's read of a variable and the write that followed it.
  struct Pair {
    Seen read;
    Seen write;
    bool is_split;
    Seen again;  // a later read before the write, if any
  };
  void close_pair(const Shared& shared, History& own, const Now& now);
  bool close_side(const Shared& shared, const History& own, const Now& now, const Pair& pair,
                  int side);
  void close_early(const Shared& shared, History& own, const Now& now);
  void note_half(const Now& now, const Seen& own, const Seen& other);
  void prune(Shared& shared, const Now& now) const;

  bool is_unordered(const Access& before, Slot slot, const Now& now) const;
  bool is_by_chance(const Access& before, Slot slot, const Now& now) const;
  bool is_split(const Access& read, std::uint32_t sequence, const Thread& thread) const;
  bool matters(const Access& before, Slot slot, const Now& now, bool* suspected) const;
  Seen seen(const Timed& access, Slot slot, Op op) const;
  void report(Candidate candidate, const Now& now, bool witnessed = false);

  bool is_timed(std::uint32_t site) const {
    return timed_[site % kTimed].load(std::memory_order_relaxed);
  }
  void time(Candidate& candidate, const Now& now);

  const Options options_;
  Threads threads_;
  Objects objects_;
  Synchronization synchronization_;
  Handover handover_;
  Candidates candidates_;
  Shadow shadow_;
  std::vector<std::atomic<std::uint32_t>> taken_ =
      std::vector<std::atomic<std::uint32_t>>(Threads::kMaxSlots);

  // Places that were found in a candidate: from then on the time of what is done there is taken. A
  // place that falls together with another one is timed in vain.
  static constexpr std::size_t kTimed = 4096;
  std::array<std::atomic<bool>, kTimed> timed_{};
  // So many more variables get a history at such a place before two threads share them: a cell has
  // no room for times.
  std::atomic<std::uint32_t> early_histories_{1000};
};

}  // namespace gilscope::races
