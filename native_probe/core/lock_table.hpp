// Gives each lock that was waited for a small number, once, without a lock.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

namespace gilscope {

// Open addressing over a fixed number of places; a lock's number is its place + 1, so two threads
// that meet the same lock at once get the same number without waiting for each other, and exactly
// one of them is told that it is new and defines it.
class LockTable {
 public:
  static constexpr std::uint32_t kCapacity = 1 << 16;

  LockTable() {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) places_ = static_cast<std::atomic<std::uint64_t>*>(memory);
  }
  ~LockTable() {
    if (places_ != nullptr) munmap(places_, kBytes);
  }
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  struct Found {
    std::uint32_t id;  // 0: the table is full
    bool is_new;
  };

  // Locks are told apart by address, kind and the type of the object that they belong to: an
  // address that is used again for an object of another type is another lock. The three are mixed
  // into 64 bits; 65,536 locks share one with a probability of 1e-10.
  Found find(std::uintptr_t address, std::uint32_t kind, std::uintptr_t type) {
    if (places_ == nullptr) return {0, false};
    const std::uint64_t key = mix(mix(address ^ (std::uint64_t{kind} << 56)) ^ type) | 1;
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      const std::uint32_t place = static_cast<std::uint32_t>(key >> 32) + i;
      std::atomic<std::uint64_t>& entry = places_[place % kCapacity];
      std::uint64_t seen = entry.load(std::memory_order_relaxed);
      if (seen == 0 && entry.compare_exchange_strong(seen, key, std::memory_order_relaxed)) {
        return {place % kCapacity + 1, true};
      }
      if (seen == key) return {place % kCapacity + 1, false};
    }
    return {0, false};
  }

 private:
  // The finalizer of splitmix64: every bit of the input reaches every bit of the output.
  static std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

  static constexpr std::uint32_t kProbes = 128;
  static constexpr std::size_t kBytes = kCapacity * sizeof(std::uint64_t);
  std::atomic<std::uint64_t>* places_ = nullptr;
};

}  // namespace gilscope
