// A word for each key, without a lock.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/id_table.hpp"

namespace gilscope {

class ValueTable {
 public:
  explicit ValueTable(std::uint32_t capacity) : ids_(capacity), capacity_(capacity) {
    void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) values_ = static_cast<std::atomic<std::uint64_t>*>(memory);
  }
  ~ValueTable() {
    if (values_ != nullptr) munmap(values_, bytes());
  }
  ValueTable(const ValueTable&) = delete;
  ValueTable& operator=(const ValueTable&) = delete;

  // 0 at first; nullptr when the table is full.
  std::atomic<std::uint64_t>* find(std::uint64_t key) {
    const std::uint32_t id = values_ != nullptr ? ids_.find(key).id : 0;
    return id != 0 ? &values_[id - 1] : nullptr;
  }

 private:
  std::size_t bytes() const { return capacity_ * sizeof(std::uint64_t); }

  IdTable ids_;
  const std::uint32_t capacity_;
  std::atomic<std::uint64_t>* values_ = nullptr;
};

}  // namespace gilscope
