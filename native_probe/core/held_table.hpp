// The threads that hold a native lock for which others wait.
#pragma once

#include <atomic>
#include <cstdint>

namespace gilscope {

// A thread that begins to wait for a lock enters the holder here; so the holder, when it waits for
// the GIL itself, can look whether it still does. Without locks; a waiter that finds no free place
// is not found.
class HeldTable {
 public:
  struct Entry {
    std::atomic<const int*> owner{nullptr};  // the word of the lock that says who holds it
    std::atomic<std::uint32_t> holder{0};
  };

  Entry* claim(const int* owner, std::uint32_t holder) {
    for (Entry& entry : entries_) {
      const int* expected = nullptr;
      if (entry.owner.load(std::memory_order_relaxed) != nullptr ||
          !entry.owner.compare_exchange_strong(expected, owner, std::memory_order_relaxed)) {
        continue;
      }
      entry.holder.store(holder, std::memory_order_release);
      count_.fetch_add(1, std::memory_order_relaxed);
      return &entry;
    }
    return nullptr;
  }

  void release(Entry* entry) {
    entry->holder.store(0, std::memory_order_relaxed);
    entry->owner.store(nullptr, std::memory_order_release);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  // Whether there are locks that this thread is said to hold, and `holds(owner)` is true of all of
  // them. The memory of a lock may be gone.
  template <typename Holds>
  bool holds_all(std::uint32_t holder, Holds holds) const {
    if (count_.load(std::memory_order_relaxed) == 0) return false;
    bool any = false;
    for (const Entry& entry : entries_) {
      if (entry.holder.load(std::memory_order_acquire) != holder) continue;
      const int* owner = entry.owner.load(std::memory_order_relaxed);
      if (owner == nullptr || !holds(owner)) return false;
      any = true;
    }
    return any;
  }

 private:
  static constexpr int kEntries = 64;
  std::atomic<std::uint32_t> count_{0};
  Entry entries_[kEntries];
};

}  // namespace gilscope
