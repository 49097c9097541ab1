// Preloaded: one of the next requests for memory of a thread fails, of those by operator new.
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local long before = -1;  // so many are granted first; -1: all

void* get(std::size_t size) {
  if (before >= 0 && before-- == 0) {
    throw std::bad_alloc();
  }
  void* memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

extern "C" void no_memory_after(long count) { before = count; }

void* operator new(std::size_t size) { return get(size); }
void* operator new[](std::size_t size) { return get(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
