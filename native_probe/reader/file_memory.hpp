// Memory for large arrays: some of it anonymous, the rest in files without a name.
//
// What is in files can leave the memory and come back without a page of swap. A thread of its own
// lets it go whenever the process has more in memory than it may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gilscope::file_memory {

struct Limits {
  std::size_t large;      // bytes from which memory is taken here and not from the heap
  std::size_t medium;     // the same once the process has `anonymous` bytes of anonymous memory
  std::size_t heap;       // bytes of large blocks that may be anonymous
  std::size_t anonymous;  // bytes of anonymous memory of the whole process
  std::size_t resident;   // bytes that the process may have in memory before files let go of some
  std::size_t files;      // bytes in memory that they keep
};

struct Figures {
  std::size_t in_files;       // bytes that are in files now
  std::size_t most_in_files;  // the most that ever were
  std::size_t refused;        // bytes for which there was no room in the folder
};

// Starts the thread. The folder is to be on a disk.
bool start(const std::string& folder, const Limits& limits);

// Ends the thread; blocks stay as they are until they are freed.
void stop();

// Memory that begins at a page, and whether it is zeroed; or null: it is for the heap.
void* take(std::size_t size, bool* zeroed);

// Whether the block was taken here; it is freed then.
bool give_back(void* block);

// Its size if it was taken here, else 0.
std::size_t size_of(const void* block);

Figures figures();

}  // namespace gilscope::file_memory
