#include "core/file_pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/bus_error.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace gilscope {
namespace {

const auto page_size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
constexpr std::uint64_t kSegment = 16 << 20;
// More than the largest chunk that is not the metadata, which come first.
constexpr std::uint64_t kOverlap = 2 << 20;
constexpr std::size_t kZeros = std::size_t{64} * 1024;
alignas(4096) const char zeros[kZeros] = {};

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The program may close descriptors that are not its own, and its files then get their numbers. No
// program has so many files open that it would be given this one; and the numbers that its files
// have are the same with a trace and without.
constexpr int kOutOfTheWay = 200;

// Moves a descriptor there; where that is too high, it stays where it is.
int out_of_the_way(int fd) {
  const int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay);
  if (moved < 0) return fd;
  ::close(fd);
  return moved;
}

// To write beyond this limit is a signal that ends the program.
std::uint64_t file_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// Saves the threads that write the page faults. The pages are there: where the system does not know
// the call (before 5.14) or refuses it, a write to each of them does the same.
void populate(char* begin, std::size_t size) {
  int result = 0;
  do {
    result = madvise(begin, size, MADV_POPULATE_WRITE);
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EFAULT) return;
  // Nobody has been handed these pages yet, so writing zeros is safe.
  for (std::size_t i = 0; i < size; i += FilePages::page()) {
    *reinterpret_cast<volatile char*>(begin + i) = 0;
  }
}

}  // namespace

int create_trace_file(const std::string& path) {
  struct stat existing{};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISREG(existing.st_mode) && !S_ISLNK(existing.st_mode)) {
      throw std::system_error(EEXIST, std::generic_category(), path);
    }
    // A new inode: a reader that has the old file open keeps what it reads.
    unlink(path.c_str());
  }
  return out_of_the_way(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

std::size_t FilePages::page() { return page_size; }

FilePages::FilePages(const std::string& path, std::uint64_t max_bytes)
    : path_(path), max_bytes_(round_up(max_bytes, page())) {
  if (path.empty()) {
    segment_ = max_bytes_;
  } else {
    segment_ = std::max(kSegment, round_up(max_bytes_ / kSegments + 1, kSegment));
    overlap_ = kOverlap;
    fd_ = create_trace_file(path);
    struct stat status{};
    if (fd_ < 0 || fstat(fd_, &status) != 0) {
      throw std::system_error(errno, std::generic_category(), path);
    }
    device_ = status.st_dev;
    inode_ = status.st_ino;
    bus_error::guard(this);
  }
}

FilePages::~FilePages() {
  unmap();
  close();
}

bool FilePages::map(std::uint64_t index) {
  if (segments_[index].load(std::memory_order_relaxed) != nullptr) return true;
  const int sharing = path_.empty() ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* memory = mmap(nullptr, mapped_size(), PROT_READ | PROT_WRITE, sharing | MAP_NORESERVE,
                      path_.empty() ? -1 : fd_.load(), static_cast<off_t>(index * segment_));
  if (memory == MAP_FAILED) return false;
  madvise(memory, mapped_size(), MADV_DONTFORK);  // a forked child must not write here
  segments_[index].store(static_cast<char*>(memory), std::memory_order_release);
  return true;
}

// Zeros that are written are the cheapest pages to be had, and a full disk is an error here and not
// a SIGBUS in any thread (docs/decisions/0011-pages-of-the-trace.md). Where there is no room
// for all of it, there may be some for a part.
std::uint64_t FilePages::write_zeros(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t limit = file_limit();
  std::uint64_t at = begin;
  while (at < end) {
    if (at >= limit) {
      error_ = EFBIG;
      break;
    }
    const std::uint64_t size = std::min({end - at, std::uint64_t{kZeros}, limit - at});
    const ssize_t written = pwrite(fd_, zeros, size, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      error_ = written < 0 ? errno : ENOSPC;
      break;
    }
    at += static_cast<std::uint64_t>(written);
  }
  return std::max(begin, at / page() * page());
}

bool FilePages::is_ours(const struct stat& status) const {
  return status.st_dev == device_ && status.st_ino == inode_;
}

// Whether the descriptor is that of the file: see kOutOfTheWay.
bool FilePages::has_file() const {
  struct stat status{};
  return fstat(fd_, &status) == 0 && is_ours(status);
}

// Before anything is done to the file, whose descriptor may be one of the program's by now: what
// is written there would be lost to the program.
bool FilePages::find_file() {
  if (has_file()) return true;
  fd_ = -1;  // not to be closed: it is the program's
  const int fd = out_of_the_way(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd < 0) return false;
  struct stat status{};
  if (fstat(fd, &status) == 0 && is_ours(status)) {
    fd_ = fd;
    return true;
  }
  ::close(fd);
  errno = ENOENT;
  return false;
}

// Whether the file is shorter than it was made.
bool FilePages::is_cut(std::uint64_t written) const {
  struct stat status{};
  return fstat(fd_, &status) == 0 && is_ours(status) &&
         static_cast<std::uint64_t>(status.st_size) < written;
}

std::uint64_t FilePages::make(std::uint64_t begin, std::uint64_t end) {
  if (error() != 0) return begin;
  if (!path_.empty() && !find_file()) {
    error_ = EBADF;
    return begin;
  }
  if (!path_.empty() && is_cut(highest_)) {
    truncated_ = true;
    error_ = EIO;
    return begin;
  }
  // A segment at a time.
  while (begin < end) {
    const std::uint64_t index = begin / segment_;
    const std::uint64_t until = std::min(end, (index + 1) * segment_);
    if (!map(index)) {
      error_ = ENOMEM;
      return begin;
    }
    const std::uint64_t there = path_.empty() ? until : write_zeros(begin, until);
    if (there > begin) populate(at(begin), there - begin);
    highest_ = std::max(highest_, there);
    begin = there;
    if (there < until) break;
  }
  return begin;
}

std::uint64_t FilePages::offset_of(const void* address) const {
  const auto* wanted = static_cast<const char*>(address);
  for (std::uint64_t i = 0; i * segment_ < max_bytes_; ++i) {
    const char* base = segments_[i].load(std::memory_order_acquire);
    if (base != nullptr && wanted >= base && wanted < base + mapped_size()) {
      return i * segment_ + static_cast<std::uint64_t>(wanted - base);
    }
  }
  return max_bytes_;
}

bool FilePages::mend(const void* address) {
  const std::uint64_t offset = offset_of(address);
  if (offset >= max_bytes_) return false;
  char* begin = const_cast<char*>(static_cast<const char*>(address));
  begin -= reinterpret_cast<std::uintptr_t>(begin) % page();
  std::size_t size = page();
  if (fd_ >= 0 && is_cut(offset / page() * page() + 1)) {
    // All that comes after it in this mapping is gone, too.
    for (const auto& segment : segments_) {
      char* base = segment.load(std::memory_order_acquire);
      if (base != nullptr && begin >= base && begin < base + mapped_size()) {
        size = static_cast<std::size_t>(base + mapped_size() - begin);
      }
    }
  }
  truncated_ = true;
  error_ = EIO;
  void* memory = mmap(begin, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED) return false;
  madvise(memory, size, MADV_DONTFORK);
  return true;
}

FilePages::Fate FilePages::fate(std::uint64_t size) const {
  if (path_.empty()) return Fate::kept;
  struct stat status{};
  if (lstat(path_.c_str(), &status) != 0) return Fate::removed;
  if (!is_ours(status)) return Fate::replaced;
  if (truncated() || static_cast<std::uint64_t>(status.st_size) < size) return Fate::truncated;
  return Fate::kept;
}

void FilePages::finish(std::uint64_t size) {
  unmap();
  // Without this the reader would only skip the zeros behind the last chunk.
  if (!path_.empty() && !truncated() && find_file() && !is_cut(size) &&
      ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    errno = 0;
  }
  close();
}

void FilePages::unmap() {
  if (!path_.empty()) bus_error::release(this);
  for (auto& segment : segments_) {
    char* base = segment.exchange(nullptr, std::memory_order_acq_rel);
    if (base != nullptr) munmap(base, mapped_size());
  }
}

void FilePages::close() {
  const bool ours = has_file();
  const int fd = fd_.exchange(-1);
  if (ours) ::close(fd);
}

}  // namespace gilscope
