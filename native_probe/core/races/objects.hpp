// Numbers for objects that live at addresses, which are used again and again.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/races/clocks.hpp"

namespace gilscope::races {

// A number that no other object ever has, and who made the object, as far as that is known.
struct Object {
  ObjectId id = 0;  // 0: there was no room for it
  Slot creator = 0;
  Clock created = 0;  // 0: not known
};

// Four places for each set of addresses; neighbours in memory are neighbours here. No locks: the
// caller keeps the object alive, and so its entry is its own.
class Objects {
 public:
  Objects();
  ~Objects();
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;

  // An object begins at this address.
  void created(const void* address, Slot creator, Clock clock);
  // The object at this address ends.
  void destroyed(const void* address);
  // The number of the object, a new one if it has none.
  Object find(const void* address);

  bool is_dead(ObjectId id) const;
  std::uint64_t without_room() const { return without_room_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::atomic<std::uint64_t> owner;    // address / 16 << 32 | number
    std::atomic<std::uint64_t> creator;  // slot << 32 | clock
  };
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kEntries = std::size_t{1} << 22;
  static constexpr std::size_t kBitsAChunk = std::size_t{1} << 20;
  static constexpr std::size_t kChunks = std::size_t{1} << 12;

  static std::uint32_t tag(const void* address) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(address) >> 4);
  }
  Entry* set_of(const void* address) const {
    return &entries_[tag(address) & (kEntries - 1) & ~(kWays - 1)];
  }
  Object number(Entry& entry, std::uint64_t owner);
  void mark_dead(ObjectId id);

  Entry* entries_ = nullptr;
  std::atomic<ObjectId> last_{0};
  std::atomic<std::uint64_t> without_room_{0};
  std::atomic<std::atomic<std::uint64_t>*> dead_[kChunks] = {};
};

}  // namespace gilscope::races
