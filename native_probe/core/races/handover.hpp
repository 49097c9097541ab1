// Who put an object into a list, dict or set that another thread takes it out of: it is that
// thread's alone then.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/races/threads.hpp"

namespace gilscope::races {

// A table of limited size: of two that fall together the later one stays. What is forgotten orders
// nothing.
class Handover {
 public:
  void give(const Thread& by, ObjectId container, const void* item) {
    Entry& entry = entry_of(container, item);
    entry.giver.store(0, std::memory_order_relaxed);
    entry.key.store(key_of(container, item), std::memory_order_relaxed);
    entry.giver.store(std::uint64_t{by.slot} << 32 | by.clock, std::memory_order_release);
  }

  void take(Thread& by, ObjectId container, const void* item) {
    Entry& entry = entry_of(container, item);
    const std::uint64_t giver = entry.giver.load(std::memory_order_acquire);
    const bool is_it = entry.key.load(std::memory_order_relaxed) == key_of(container, item);
    if (giver == 0 || !is_it) return;
    const auto slot = static_cast<Slot>(giver >> 32);
    const auto clock = static_cast<Clock>(giver);
    if (slot == by.slot) return;
    by.order.full.join(slot, clock);
    by.order.forced.join(slot, clock);
  }

 private:
  struct Entry {
    std::atomic<std::uint64_t> key{0};
    std::atomic<std::uint64_t> giver{0};  // slot << 32 | its clock then
  };
  static constexpr std::size_t kEntries = std::size_t{1} << 16;

  static std::uint64_t key_of(ObjectId container, const void* item) {
    const auto address = reinterpret_cast<std::uintptr_t>(item);
    return std::uint64_t{container} << 32 | static_cast<std::uint32_t>(address >> 4);
  }
  Entry& entry_of(ObjectId container, const void* item) {
    return entries_[key_of(container, item) * 0x9E3779B97F4A7C15u >> 48];
  }

  std::unique_ptr<Entry[]> entries_ = std::make_unique<Entry[]>(kEntries);
};

}  // namespace gilscope::races
