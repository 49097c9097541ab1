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

// A lock may be found under several names: they are all said. Without waiting: who comes while
// another thread adds a name to the same lock does not add his.
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

  static constexpr std::size_t kText = 240;  // bytes of all names of a lock together

 private:
  struct Entry {
    std::atomic<std::uint32_t> busy{0};
    std::uint16_t source = 0;
    std::uint16_t length = 0;
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

  Entry* entries_ = nullptr;
};

}  // namespace gilscope
