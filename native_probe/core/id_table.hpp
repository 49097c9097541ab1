// Gives whatever is defined once a session (locks, strings, stacks, …) a small number, without a
// lock.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gilscope {

// The finalizer of splitmix64: every bit of the input reaches every bit of the output.
inline std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline std::uint64_t mix(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return mix(hash ^ text.size());
}

// Open addressing over a fixed number of places; a key's number is its place + 1, so two threads
// that meet the same key at once get the same number without waiting for each other, and exactly
// one of them is told that it is new and defines it. Keys are hashes: 65,536 of them share one with
// a probability of 1e-10.
class IdTable {
 public:
  explicit IdTable(std::uint32_t capacity = 1 << 16) : capacity_(capacity) {
    void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) places_ = static_cast<std::atomic<std::uint64_t>*>(memory);
  }
  ~IdTable() {
    if (places_ != nullptr) munmap(places_, bytes());
  }
  IdTable(const IdTable&) = delete;
  IdTable& operator=(const IdTable&) = delete;

  struct Found {
    std::uint32_t id;  // 0: the table is full
    bool is_new;
  };

  Found find(std::uint64_t key) {
    if (places_ == nullptr) return {0, false};
    key |= 1;
    for (std::uint32_t i = 0; i < kProbes; ++i) {
      const std::uint32_t place = (static_cast<std::uint32_t>(key >> 32) + i) % capacity_;
      std::atomic<std::uint64_t>& entry = places_[place];
      std::uint64_t seen = entry.load(std::memory_order_relaxed);
      if (seen == 0 && entry.compare_exchange_strong(seen, key, std::memory_order_relaxed)) {
        return {place + 1, true};
      }
      if (seen == key) return {place + 1, false};
    }
    return {0, false};
  }

  // Returns a number whose definition found no room, so that it is new again for the next thread
  // that asks. A key that had to go past this place may then get a second number, but no third.
  void forget(std::uint32_t id) { places_[id - 1].store(0, std::memory_order_relaxed); }

 private:
  std::size_t bytes() const { return capacity_ * sizeof(std::uint64_t); }

  static constexpr std::uint32_t kProbes = 128;
  const std::uint32_t capacity_;
  std::atomic<std::uint64_t>* places_ = nullptr;
};

}  // namespace gilscope
