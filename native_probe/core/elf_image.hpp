// The loaded objects of this process: their relocation slots and their symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  // The address in memory that addresses in the file are relative to.
  std::uintptr_t base() const { return base_; }
  bool contains(const void* address) const { return segment_with(address).known(); }
  // The loaded part of the file that has this address; unknown if none has.
  CodeRange segment_with(const void* address) const;
  // Whether the loader searches folders for this object's calls of dlopen() that it does not search
  // for others'.
  bool has_search_path() const { return has_search_path_; }
  bool is_same(const ElfImage& other) const { return base_ == other.base_ && path_ == other.path_; }
  // Whether the object is there to the end of the process, so that there is no need to pin it.
  bool is_never_unloaded() const;
  // Keeps the object loaded, and waits for the thread that is just loading it. nullptr when it is
  // gone by now: then nothing below may be called. Takes the loader's lock, here and at its end.
  std::shared_ptr<void> pin() const;
  // Its executable part.
  const std::vector<CodeRange>& code() const { return code_; }
  const std::vector<CodeRange>& notes() const { return notes_; }
  // .eh_frame_hdr, if there is one.
  const void* unwind_tables() const { return unwind_tables_; }
  // Every JUMP_SLOT, GLOB_DAT and absolute relocation that refers to a symbol.
  std::vector<Slot> slots() const;
  // Extent of a function of the dynamic symbol table; unknown when there is none of that name.
  CodeRange function(std::string_view name) const;

 private:
  friend struct ImageReader;
  // The objects that lie at an address, all of them in one segment; nullptr when they do not.
  template <typename T>
  const T* at(const void* address, std::uint64_t count = 1) const;
  const void* symbol_at(std::uint64_t index) const;
  // A name of the string table; empty when it has no end there.
  std::string_view text(std::uint64_t offset) const;
  CodeRange extent(std::size_t symbol) const;
  CodeRange hashed_function(std::string_view name) const;
  CodeRange listed_function(std::string_view name) const;

  std::string path_;
  bool is_executable_ = false;
  bool has_search_path_ = false;
  std::uintptr_t base_ = 0;
  std::vector<CodeRange> segments_;
  std::vector<CodeRange> code_;
  std::vector<CodeRange> notes_;
  const void* unwind_tables_ = nullptr;
  const void* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const void* relocations_[2] = {};
  std::size_t relocation_count_[2] = {};
  const std::uint32_t* gnu_hash_ = nullptr;
  const std::uint32_t* sysv_hash_ = nullptr;
};

}  // namespace gilscope
