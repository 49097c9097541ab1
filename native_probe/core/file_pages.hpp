// The pages of a trace file: where they are mapped, how more of them are made, and what becomes of
// them when the file is taken away.
//
// The file is mapped in segments, one at a time as it grows: what a session reserves of the
// address space follows what it has written, and not what it may write at most. Each mapping goes
// on a little beyond its segment, so that a chunk which begins in one segment and ends in the next
// is in one piece.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gilscope {

// Opens a new file for a trace (0600); it replaces another file, but no device and no directory.
// Throws std::system_error, or returns -1 and sets errno.
int create_trace_file(const std::string& path);

class FilePages {
 public:
  // The fate of the file while it was written, according to its path.
  enum class Fate { kept, removed, replaced, truncated };

  // Creates the file (0600, an existing one is replaced). An empty path makes memory without a
  // file. Throws std::system_error.
  FilePages(const std::string& path, std::uint64_t max_bytes);
  ~FilePages();
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;

  static std::size_t page();
  std::uint64_t max_bytes() const { return max_bytes_; }

  // Contiguous bytes beyond `offset`.
  std::uint64_t in_one_piece(std::uint64_t offset) const {
    return segment_ + overlap_ - offset % segment_;
  }
  // The address of an offset whose pages exist.
  char* at(std::uint64_t offset) const {
    return segments_[offset / segment_].load(std::memory_order_relaxed) + offset % segment_;
  }
  // The offset of an address.
  std::uint64_t offset_of(const void* address) const;

  // Gives the file pages from `begin` to `end`, whole ones: they exist on the disk, are zero and
  // are mapped, so that a write takes no page fault. Returns how far it came; where that is not
  // `end`, error() says why. For one thread at a time.
  std::uint64_t make(std::uint64_t begin, std::uint64_t end);

  // Why there are no more pages: an errno, 0 as long as there are.
  int error() const { return error_.load(std::memory_order_relaxed); }
  // Whether somebody cut the file while it was written, so that what was in it is gone.
  bool truncated() const { return truncated_.load(std::memory_order_relaxed); }
  // Reports damage that a reader of the file found.
  void set_truncated() { truncated_.store(true, std::memory_order_relaxed); }

  // Inspects the file that the path names now; `size` bytes were written.
  Fate fate(std::uint64_t size) const;

  // Cuts the file to `size` and unmaps it.
  void finish(std::uint64_t size);
  // Closes the file and leaves the mapping as it is.
  void close();

  // In a handler of SIGBUS: puts memory in the place of a page that the file no longer has. False
  // where the address is none of ours, or there is no memory.
  bool mend(const void* address);

 private:
  static constexpr std::size_t kSegments = 4096;

  bool map(std::uint64_t index);
  bool is_ours(const struct stat& status) const;
  bool has_file() const;
  bool find_file();
  bool is_cut(std::uint64_t written) const;
  std::uint64_t write_zeros(std::uint64_t begin, std::uint64_t end);
  void unmap();
  std::uint64_t mapped_size() const { return segment_ + overlap_; }

  const std::string path_;
  const std::uint64_t max_bytes_;
  std::uint64_t segment_ = 0;
  std::uint64_t overlap_ = 0;
  std::uint64_t highest_ = 0;  // end of the pages that were made
  std::atomic<int> fd_{-1};
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::atomic<int> error_{0};
  std::atomic<bool> truncated_{false};
  std::atomic<char*> segments_[kSegments] = {};
};

}  // namespace gilscope
