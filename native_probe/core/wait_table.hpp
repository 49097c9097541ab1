// Tells a waiting thread which thread woke it, on a semaphore or a condition variable.
#pragma once

#include <atomic>
#include <cstdint>

namespace gilscope {

// A semaphore does not say who posted it, and dies right after the wait. So a waiter claims an
// entry under the semaphore's address before it waits; who posts looks the address up first and
// leaves its own index there. All without locks; a waiter that finds no free entry learns no name,
// no more.
class WaitTable {
 public:
  struct alignas(32) Entry {
    std::atomic<std::uintptr_t> semaphore{0};
    std::atomic<std::uint32_t> waiter{0};
    std::atomic<std::uint32_t> lock{0};
    std::atomic<std::uint32_t> ender{0};
  };

  // nullptr when the table is full around this address.
  Entry* claim(const void* semaphore, std::uint32_t waiter, std::uint32_t lock) {
    Entry* entry = find(semaphore);  // the post may have come before the wait
    if (entry == nullptr) return insert(semaphore, waiter, lock, 0);
    entry->waiter.store(waiter, std::memory_order_relaxed);
    entry->lock.store(lock, std::memory_order_relaxed);
    return entry;
  }

  // Gives the entry back; the thread that ended the wait, or 0.
  static std::uint32_t release(Entry* entry) {
    const std::uint32_t ender = entry->ender.load(std::memory_order_relaxed);
    entry->semaphore.store(0, std::memory_order_release);
    return ender != kSeveral ? ender : 0;
  }

  struct Woken {
    std::uint32_t waiter;  // 0: none, or more than one
    std::uint32_t lock;
    bool any;
  };

  // Before a post: leaves `ender` with every waiter on this semaphore. A lock that is a semaphore
  // may have several waiters; the one that wakes up saw the latest post. Where there is none and
  // the semaphore has exactly one waiter and one post in its life (`is_parked`), the name is left
  // for the waiter that is just about to come.
  Woken posting(const void* semaphore, std::uint32_t ender, bool is_parked) {
    Woken woken{0, 0, false};
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      Entry& entry = at(semaphore, i);
      if (!holds(entry, semaphore)) continue;
      entry.ender.store(ender, std::memory_order_relaxed);
      woken = {woken.any ? 0 : entry.waiter.load(std::memory_order_relaxed),
               entry.lock.load(std::memory_order_relaxed), true};
    }
    if (!woken.any && is_parked) insert(semaphore, 0, 0, ender);
    return woken;
  }

  // Before a condition is signalled. Which of several waiters wakes up is the system's choice, and
  // by which of several signals: those of more than one thread name nobody.
  Woken signalling(const void* condition, std::uint32_t ender) {
    Woken woken{0, 0, false};
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      Entry& entry = at(condition, i);
      if (!holds(entry, condition)) continue;
      std::uint32_t before = 0;
      if (!entry.ender.compare_exchange_strong(before, ender, std::memory_order_relaxed) &&
          before != ender) {
        entry.ender.store(kSeveral, std::memory_order_relaxed);
      }
      woken = {woken.any ? 0 : entry.waiter.load(std::memory_order_relaxed),
               entry.lock.load(std::memory_order_relaxed), true};
    }
    return woken;
  }

 private:
  static constexpr std::uint32_t kSeveral = UINT32_MAX;
  static constexpr std::uint32_t kEntries = 4096;
  static constexpr std::uint32_t kProbes = 16;
  static constexpr std::uintptr_t kClaimed = 1;

  static bool holds(const Entry& entry, const void* semaphore) {
    return entry.semaphore.load(std::memory_order_acquire) ==
           reinterpret_cast<std::uintptr_t>(semaphore);
  }

  // An entry that a post has left behind.
  Entry* find(const void* semaphore) {
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      Entry& entry = at(semaphore, i);
      if (holds(entry, semaphore) && entry.waiter.load(std::memory_order_relaxed) == 0) {
        return &entry;
      }
    }
    return nullptr;
  }

  Entry* insert(const void* semaphore, std::uint32_t waiter, std::uint32_t lock,
                std::uint32_t ender) {
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      Entry& entry = at(semaphore, i);
      std::uintptr_t expected = 0;
      if (entry.semaphore.load(std::memory_order_relaxed) != 0 ||
          !entry.semaphore.compare_exchange_strong(expected, kClaimed, std::memory_order_relaxed)) {
        continue;
      }
      entry.waiter.store(waiter, std::memory_order_relaxed);
      entry.lock.store(lock, std::memory_order_relaxed);
      entry.ender.store(ender, std::memory_order_relaxed);
      entry.semaphore.store(reinterpret_cast<std::uintptr_t>(semaphore), std::memory_order_release);
      return &entry;
    }
    return nullptr;
  }

  Entry& at(const void* semaphore, std::uint32_t i) {
    const auto address = reinterpret_cast<std::uintptr_t>(semaphore);
    const auto hash = static_cast<std::uint32_t>((address * 0x9E3779B97F4A7C15u) >> 40);
    return entries_[(hash + i) % kEntries];
  }

  Entry entries_[kEntries];
};

}  // namespace gilscope
