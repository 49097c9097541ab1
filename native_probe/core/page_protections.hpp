// The protections of this process's memory, page by page, as the kernel reports them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gilscope {

// All mappings at one moment, read once: each read of the kernel's list costs about a microsecond a
// mapping. Takes no memory from the allocator, so that a forked child can use it.
class PageProtections {
 public:
  PageProtections();
  ~PageProtections();
  PageProtections(const PageProtections&) = delete;
  PageProtections& operator=(const PageProtections&) = delete;

  // PROT_* of the mapping that has this address; -1 when there is none.
  int at(std::uintptr_t address) const;

 private:
  struct Mapping {
    std::uintptr_t begin;
    std::uintptr_t end;
    int protection;
  };

  void parse(const char* begin, const char* end);
  void add(const Mapping& mapping);

  Mapping* mappings_ = nullptr;  // by address
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;  // of memory
};

}  // namespace gilscope
