// The names that each lock has been found under.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/lock_table.hpp"

namespace gilscope {

// A lock may be found under several names: all are kept. Without waiting: a thread that comes while
// another thread adds a name to the same lock does not add its own.
class NameTable {
 public:
  NameTable() {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) entries_ = static_cast<Entry*>(memory);
  }
  ~NameTable() {
    if (entries_ != nullptr) munmap(entries_, kBytes);
  }
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  // Calls `tell(all names, source of the first)` when the lock did not have this name yet.
  template <typename Tell>
  void add(std::uint32_t lock, std::uint16_t source, std::string_view name, Tell tell) {
    if (entries_ == nullptr || lock == 0 || lock > LockTable::kCapacity) return;
    Entry& entry = entries_[lock - 1];
    if (entry.busy.exchange(1, std::memory_order_acquire) != 0) return;
    if (!has(entry, name) && append(entry, source, name)) {
      tell(std::string_view(entry.text, entry.length), entry.source);
    }
    entry.busy.store(0, std::memory_order_release);
  }

  // Remembers which object a lock belongs to, and that so many had ended at its address before.
  void remember(std::uint32_t lock, std::uintptr_t object, std::uint32_t ends) {
    if (entries_ == nullptr || lock == 0 || lock > LockTable::kCapacity) return;
    Entry& entry = entries_[lock - 1];
    entry.ends.store(ends, std::memory_order_relaxed);
    if (entry.object.exchange(object, std::memory_order_release) != 0) return;
    const std::uint32_t n = known_.fetch_add(1, std::memory_order_relaxed);
    if (n < kKnown) locks_[n].store(lock, std::memory_order_release);
  }

  // Calls `visit(lock, object, ends)` for the locks without a name that were remembered.
  template <typename Visit>
  void for_each_unnamed(Visit visit) const {
    const std::uint32_t n = known_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < n && i < kKnown; ++i) {
      const std::uint32_t lock = locks_[i].load(std::memory_order_acquire);
      if (lock == 0) continue;
      const Entry& entry = entries_[lock - 1];
      if (entry.length != 0) continue;
      visit(lock, entry.object.load(std::memory_order_acquire),
            entry.ends.load(std::memory_order_relaxed));
    }
  }

  static constexpr std::size_t kText = 224;  // bytes of all names of a lock together

 private:
  struct Entry {
    std::atomic<std::uint32_t> busy{0};
    std::uint16_t source = 0;
    std::uint16_t length = 0;
    std::atomic<std::uint32_t> ends{0};
    std::atomic<std::uintptr_t> object{0};
    char text[kText] = {};
  };
  static constexpr std::size_t kBytes = LockTable::kCapacity * sizeof(Entry);
  static constexpr std::string_view kBetween = " / ";

  static bool has(const Entry& entry, std::string_view name) {
    std::string_view rest(entry.text, entry.length);
    while (!rest.empty()) {
      const std::size_t end = rest.find(kBetween);
      if (rest.substr(0, end) == name) return true;
      if (end == std::string_view::npos) return false;
      rest.remove_prefix(end + kBetween.size());
    }
    return false;
  }

  static bool append(Entry& entry, std::uint16_t source, std::string_view name) {
    const std::size_t before = entry.length != 0 ? kBetween.size() : 0;
    if (entry.length + before + name.size() > kText) return false;
    std::memcpy(entry.text + entry.length, kBetween.data(), before);
    std::memcpy(entry.text + entry.length + before, name.data(), name.size());
    entry.length = static_cast<std::uint16_t>(entry.length + before + name.size());
    if (before == 0) entry.source = source;
    return true;
  }

  static constexpr std::uint32_t kKnown = 4096;
  Entry* entries_ = nullptr;
  std::atomic<std::uint32_t> known_{0};
  std::atomic<std::uint32_t> locks_[kKnown] = {};
};

}  // namespace gilscope
