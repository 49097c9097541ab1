// The loaded objects of this process: their relocation slots and their symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gilscope {

struct CodeRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool contains(const void* address) const {
    const auto a = reinterpret_cast<std::uintptr_t>(address);
    return a >= begin && a < end;
  }
  bool known() const { return begin != end; }
};

// A word of memory that the dynamic loader fills with the address of a function.
struct Slot {
  void** address;
  std::string_view symbol;
  bool is_variable;  // of the program, which may have given it another value since
};

class ElfImage {
 public:
  // The image that holds the interpreter: libpython or the executable, whichever has `address`.
  static ElfImage containing(const void* address);
  // All loaded objects, the executable first, in the loader's order.
  static std::vector<ElfImage> all();

  const std::string& path() const { return path_; }
  // What the addresses in the file are relative to in memory.
  std::uintptr_t base() const { return base_; }
  bool contains(const void* address) const;
  // Whether the loader searches folders for this object's calls of dlopen() that it does not search
  // for others'.
  bool has_search_path() const { return has_search_path_; }
  bool is_same(const ElfImage& other) const { return base_ == other.base_ && path_ == other.path_; }
  // Keeps the object loaded until dlclose() of what this returns. nullptr when it is gone by now:
  // then nothing else here may be called.
  void* pin() const;
  // Every JUMP_SLOT, GLOB_DAT and absolute relocation that refers to a symbol.
  std::vector<Slot> slots() const;
  // Extent of a function of the dynamic symbol table; unknown when there is none of that name.
  CodeRange function(std::string_view name) const;

 private:
  friend struct ImageReader;
  std::string path_;
  bool is_executable_ = false;
  bool has_search_path_ = false;
  std::uintptr_t base_ = 0;
  std::vector<CodeRange> segments_;
  const void* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const void* relocations_[2] = {};
  std::size_t relocation_count_[2] = {};
  const std::uint32_t* gnu_hash_ = nullptr;
  const std::uint32_t* sysv_hash_ = nullptr;
};

}  // namespace gilscope
