// How many events a session has recorded, by kind, and how long they took. Counted when a thread is
// done with a chunk, and in the chunks that are open when somebody asks: so recording an event
// costs nothing for it.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/clock.hpp"
#include "core/format.hpp"

namespace gilscope {

// The numbers: sums of events that are over.
struct EventSums {
  static constexpr std::size_t kKinds = 16;      // of events
  static constexpr std::size_t kLockKinds = 64;  // of locks

  std::array<std::uint64_t, kKinds> count{}, ticks{};                     // by kind of event
  std::array<std::uint64_t, kLockKinds> lock_waits{}, lock_wait_ticks{};  // by kind of lock
  std::uint64_t forced = 0;                                               // releases of the GIL

  template <typename KindOf>
  void add(const format::EventRecord& record, std::uint8_t kind, KindOf kind_of_lock) {
    if (kind >= kKinds) return;
    count[kind] += 1;
    ticks[kind] += record.duration;
    if (kind == static_cast<std::uint8_t>(format::EventKind::gil_hold)) {
      if ((record.flags & format::hold_flag::kForced) != 0) ++forced;
    } else if (kind == static_cast<std::uint8_t>(format::EventKind::lock_wait)) {
      const std::size_t lock = kind_of_lock(record.what) % kLockKinds;
      lock_waits[lock] += 1;
      lock_wait_ticks[lock] += record.duration;
    }
  }

  // Calls `visit(number, the same one of other)` for each number.
  template <typename Other, typename Visit>
  void for_each(Other& other, Visit visit) {
    for (std::size_t i = 0; i < kKinds; ++i) visit(count[i], other.count[i]);
    for (std::size_t i = 0; i < kKinds; ++i) visit(ticks[i], other.ticks[i]);
    for (std::size_t i = 0; i < kLockKinds; ++i) visit(lock_waits[i], other.lock_waits[i]);
    for (std::size_t i = 0; i < kLockKinds; ++i) {
      visit(lock_wait_ticks[i], other.lock_wait_ticks[i]);
    }
    visit(forced, other.forced);
  }
};

class Counters {
 public:
  static constexpr std::uint32_t kLocks = 1 << 16;

  // A lock has been defined.
  void define_lock(std::uint32_t id, std::uint16_t kind) {
    if (id == 0 || id > kLocks || kind >= EventSums::kLockKinds) return;
    kinds_[id - 1].store(static_cast<std::uint8_t>(kind), std::memory_order_relaxed);
    locks_[kind].fetch_add(1, std::memory_order_relaxed);
  }

  // Around the sealing of a chunk with these records: whoever asks meanwhile asks again.
  template <typename Seal>
  void seal(const format::EventRecord* first, std::size_t count, Seal seal_chunk) {
    EventSums sums;
    for (std::size_t i = 0; i < count; ++i) {
      sums.add(first[i], first[i].kind, [this](std::uint32_t lock) { return kind_of(lock); });
    }
    begun_.fetch_add(1, std::memory_order_acq_rel);
    seal_chunk();
    sums.for_each(sealed_, [](std::uint64_t number, std::atomic<std::uint64_t>& total) {
      if (number != 0) total.fetch_add(number, std::memory_order_relaxed);
    });
    ended_.fetch_add(1, std::memory_order_acq_rel);
  }

  // All events so far. `visit_open(visit)` calls `visit(record, kind)` for each record in a chunk
  // that is not sealed. One caller at a time. No number is ever smaller than at the call before.
  template <typename VisitOpen>
  EventSums read(VisitOpen visit_open) {
    // For a thread that has lost its processor while it seals a chunk.
    constexpr std::uint64_t kPatience = 2'000'000'000;  // ns
    const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
    EventSums now;
    do {
      const std::uint64_t begun = begun_.load(std::memory_order_acquire);
      if (ended_.load(std::memory_order_acquire) != begun) continue;
      now = EventSums{};
      now.for_each(sealed_, [](std::uint64_t& number, std::atomic<std::uint64_t>& total) {
        number = total.load(std::memory_order_relaxed);
      });
      EventSums open;
      visit_open([&](const format::EventRecord& record, std::uint8_t kind) {
        open.add(record, kind, [this](std::uint32_t lock) { return kind_of(lock); });
      });
      // Not a load: what was read above must not come after it.
      if (begun_.fetch_add(0, std::memory_order_acq_rel) == begun) {
        now.for_each(open, [](std::uint64_t& number, std::uint64_t more) { number += more; });
        break;
      }
      // Meanwhile a chunk was sealed: its records may have been met twice, or not at all. At the
      // last attempt what is sealed remains, which is never too much.
    } while (sched_yield() == 0 && nanoseconds(CLOCK_MONOTONIC) < deadline);
    last_.for_each(
        now, [](std::uint64_t& number, std::uint64_t then) { number = std::max(number, then); });
    return last_;
  }

  // Locks that somebody waited for, by kind.
  std::array<std::uint64_t, EventSums::kLockKinds> locks() const {
    std::array<std::uint64_t, EventSums::kLockKinds> found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i] = locks_[i].load(std::memory_order_relaxed);
    }
    return found;
  }

 private:
  std::uint8_t kind_of(std::uint32_t lock) const {
    return lock == 0 || lock > kLocks ? 0 : kinds_[lock - 1].load(std::memory_order_relaxed);
  }

  struct Sealed {
    std::array<std::atomic<std::uint64_t>, EventSums::kKinds> count{}, ticks{};
    std::array<std::atomic<std::uint64_t>, EventSums::kLockKinds> lock_waits{}, lock_wait_ticks{};
    std::atomic<std::uint64_t> forced{0};
  };

  std::atomic<std::uint64_t> begun_{0};  // sealings
  std::atomic<std::uint64_t> ended_{0};
  Sealed sealed_;
  std::atomic<std::uint64_t> locks_[EventSums::kLockKinds] = {};
  std::atomic<std::uint8_t> kinds_[kLocks] = {};
  EventSums last_;
};

}  // namespace gilscope
