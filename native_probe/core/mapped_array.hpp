// An array that grows, in memory of its own: the allocator gives each thread that asks it for
// memory a part of the address space, of 64 MiB and more.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace gilscope {

template <typename T>
class MappedArray {
  static_assert(std::is_trivially_copyable_v<T>, "it is moved as bytes, and zeros are a T");

 public:
  MappedArray() = default;
  ~MappedArray() {
    if (items_ != nullptr) munmap(items_, capacity_ * sizeof(T));
  }
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;

  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return items_[i]; }
  void clear() { size_ = 0; }

  // What is new is zero, if the array was never longer. False when there is no memory.
  bool resize(std::size_t size) {
    if (size > capacity_ && !grow(size)) return false;
    size_ = size;
    return true;
  }
  bool push_back(const T& item) {
    if (!resize(size_ + 1)) return false;
    items_[size_ - 1] = item;
    return true;
  }

 private:
  static constexpr std::size_t kLeast = std::size_t{64} * 1024;  // bytes

  bool grow(std::size_t size) {
    const std::size_t capacity = std::max({size, capacity_ * 2, kLeast / sizeof(T)});
    void* memory = items_ == nullptr ? mmap(nullptr, capacity * sizeof(T), PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                     : mremap(items_, capacity_ * sizeof(T), capacity * sizeof(T),
                                              MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) return false;
    items_ = static_cast<T*>(memory);
    capacity_ = capacity;
    return true;
  }

  T* items_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace gilscope
