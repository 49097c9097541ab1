// Vector clocks: what a thread knows of the progress of the others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gilscope::races {

using Slot = std::uint16_t;   // a thread's place in vector clocks
using Clock = std::uint32_t;  // a thread's own time: it moves on whenever others may learn of it
using ObjectId = std::uint32_t;
using Key = std::uint64_t;

class VectorClock {
 public:
  Clock of(Slot slot) const { return slot < clocks_.size() ? clocks_[slot] : 0; }
  void set(Slot slot, Clock clock) {
    if (slot >= clocks_.size()) clocks_.resize(slot + std::size_t{1});
    clocks_[slot] = clock;
  }
  void join(const VectorClock& other) {
    if (other.clocks_.size() > clocks_.size()) clocks_.resize(other.clocks_.size());
    for (std::size_t i = 0; i < other.clocks_.size(); ++i) {
      clocks_[i] = std::max(clocks_[i], other.clocks_[i]);
    }
  }
  void join(Slot slot, Clock clock) {
    if (of(slot) < clock) set(slot, clock);
  }
  std::size_t size() const { return clocks_.size(); }

 private:
  std::vector<Clock> clocks_;
};

// Two orders of one run. `full` has every edge. `forced` has none between the critical sections of
// a mutex: which of them comes first is chance, so it orders nothing that another run must keep.
struct Order {
  VectorClock full;
  VectorClock forced;

  void join(const Order& other) {
    full.join(other.full);
    forced.join(other.forced);
  }
};

}  // namespace gilscope::races
