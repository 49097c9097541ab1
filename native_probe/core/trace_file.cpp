#include "core/trace_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/clock.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace gilscope {
namespace {

using format::ChunkHeader;

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// False when the pages cannot be had, which a write would be told by a SIGBUS.
bool populate(char* begin, std::size_t size) {
  int result = 0;
  do {
    result = madvise(begin, size, MADV_POPULATE_WRITE);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno != EINVAL) return false;
  // Kernels before 5.14. Nobody has been handed these pages yet, so writing zeros is safe.
  for (std::size_t i = 0; i < size; i += TraceFile::alignment()) {
    *reinterpret_cast<volatile char*>(begin + i) = 0;
  }
  return true;
}

// Replaces a file, but no device and no directory.
int create(const std::string& path) {
  struct stat existing{};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISREG(existing.st_mode) && !S_ISLNK(existing.st_mode)) fail(EEXIST, path);
    // A new inode: a reader that has the old file open keeps what it reads.
    unlink(path.c_str());
  }
  return open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

}  // namespace

std::size_t TraceFile::alignment() {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

TraceFile::TraceFile(const std::string& path, std::uint64_t max_bytes)
    : max_bytes_(round_up(max_bytes, alignment())) {
  fd_ = path.empty() ? memfd_create("gilscope", MFD_CLOEXEC) : create(path);
  if (fd_ < 0) fail(errno, path);
  void* base =
      mmap(nullptr, max_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  int error = base == MAP_FAILED ? errno : 0;
  if (error == 0) {
    base_ = static_cast<char*>(base);
    madvise(base_, max_bytes_, MADV_DONTFORK);  // a forked child must not write here
    cursor_ = alignment();
    if (!extend(1)) error = disk_full() ? ENOSPC : EFBIG;
  }
  if (error != 0) {
    if (base_ != nullptr) munmap(base_, max_bytes_);
    close(fd_);
    if (!path.empty()) unlink(path.c_str());
    fail(error, path);
  }
}

void TraceFile::write_header(const format::FileHeader& header) {
  std::memcpy(base_, &header, sizeof header);
}

TraceFile::~TraceFile() {
  if (base_ != nullptr) munmap(base_, max_bytes_);
  if (fd_ >= 0) close(fd_);
}

std::size_t TraceFile::ready_ahead() const {
  // In this order: the cursor is never ahead of a frontier that is read after it.
  const std::uint64_t cursor = cursor_.load(std::memory_order_acquire);
  return ready_.load(std::memory_order_relaxed) - cursor;
}

bool TraceFile::reserve_on_disk(std::uint64_t begin, std::uint64_t end) const {
  int error = 0;
  do {
    error = posix_fallocate(fd_, static_cast<off_t>(begin), static_cast<off_t>(end - begin));
  } while (error == EINTR);
  return error == 0;
}

bool TraceFile::extend(std::size_t ahead) {
  const std::uint64_t ready = ready_.load(std::memory_order_relaxed);
  const std::uint64_t wanted = cursor_.load(std::memory_order_relaxed) + ahead;
  if (wanted <= ready) return true;
  if (disk_full()) return false;
  const std::uint64_t target = std::min<std::uint64_t>(round_up(wanted, alignment()), max_bytes_);
  if (target <= ready) {
    at_limit_ = true;
    return false;
  }
  // Blocks that exist on disk: a full disk is an error here and not a SIGBUS in somebody's thread.
  if (!reserve_on_disk(ready, target) || !populate(base_ + ready, target - ready)) {
    disk_full_ = true;
    return false;
  }
  // Release: whoever sees the new frontier may write to the pages before it.
  ready_.store(target, std::memory_order_release);
  return true;
}

std::size_t TraceFile::kept_from(format::ChunkKind kind) {
  switch (kind) {
    case format::ChunkKind::events:
    case format::ChunkKind::threads: return kDefinitionsChunk + alignment();
    case format::ChunkKind::definitions: return alignment();
    default: return 0;
  }
}

ChunkHeader* TraceFile::allocate(format::ChunkKind kind, std::uint32_t thread, std::size_t size) {
  size = round_up(size, alignment());
  const std::size_t wanted = size + kept_from(kind);
  std::uint64_t offset = cursor_.load(std::memory_order_relaxed);
  do {
    if (offset + wanted > ready_.load(std::memory_order_acquire)) {
      refused_.store(true, std::memory_order_relaxed);
      return nullptr;
    }
  } while (!cursor_.compare_exchange_weak(offset, offset + size, std::memory_order_relaxed));
  auto* chunk = reinterpret_cast<ChunkHeader*>(base_ + offset);
  chunk->kind = static_cast<std::uint16_t>(kind);
  chunk->size = static_cast<std::uint32_t>(size);
  chunk->thread = thread;
  chunk->sequence = sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  chunk->open_ticks = Clock::ticks();
  ChunkHeader whole = *chunk;
  whole.magic = format::kChunkMagic;
  chunk->header_checksum = format::checksum(&whole, offsetof(ChunkHeader, header_checksum));
  // The magic last: a chunk is there wholly or not at all, however the process ends.
  __atomic_store_n(&chunk->magic, format::kChunkMagic, __ATOMIC_RELEASE);
  return chunk;
}

void TraceFile::seal(ChunkHeader* chunk, std::size_t used) {
  chunk->used = static_cast<std::uint32_t>(used);
  chunk->checksum = format::checksum(chunk + 1, used);
  __atomic_store_n(&chunk->state, static_cast<std::uint32_t>(format::kSealed), __ATOMIC_RELEASE);
}

char* TraceFile::reserve_definition(std::size_t length) {
  for (;;) {
    ChunkHeader* chunk = definitions_.load(std::memory_order_acquire);
    if (chunk != nullptr) {
      // While the chunk is open its `used` is the cursor of all its writers.
      std::uint32_t at = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
      while (at + length <= chunk->size - sizeof(ChunkHeader)) {
        if (__atomic_compare_exchange_n(&chunk->used, &at, at + static_cast<std::uint32_t>(length),
                                        true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
          return reinterpret_cast<char*>(chunk + 1) + at;
        }
      }
    }
    const std::size_t size = std::max(kDefinitionsChunk, length + sizeof(ChunkHeader));
    ChunkHeader* fresh = allocate(format::ChunkKind::definitions, 0, size);
    if (fresh == nullptr) return nullptr;
    // Two threads may both bring one; the second one's stays empty in the file.
    definitions_.compare_exchange_strong(chunk, fresh, std::memory_order_acq_rel);
  }
}

bool TraceFile::define(format::DefinitionTag tag, const void* fixed, std::size_t fixed_size,
                       std::string_view text, std::string_view text2) {
  const std::size_t length =
      round_up(sizeof(format::DefinitionHeader) + fixed_size + text.size() + text2.size(), 8);
  char* at = reserve_definition(length);
  if (at == nullptr) return false;
  auto* header = reinterpret_cast<format::DefinitionHeader*>(at);
  header->length = static_cast<std::uint32_t>(length);
  char* body = at + sizeof(format::DefinitionHeader);
  std::memcpy(body, fixed, fixed_size);
  if (!text.empty()) std::memcpy(body + fixed_size, text.data(), text.size());
  if (!text2.empty()) std::memcpy(body + fixed_size + text.size(), text2.data(), text2.size());
  __atomic_store_n(&header->tag, static_cast<std::uint16_t>(tag), __ATOMIC_RELEASE);
  return true;
}

bool TraceFile::write_json(format::ChunkKind kind, std::string_view json) {
  ChunkHeader* chunk = allocate(kind, 0, sizeof(ChunkHeader) + round_up(json.size(), 8));
  if (chunk == nullptr) return false;
  std::memcpy(chunk + 1, json.data(), json.size());
  chunk->used = static_cast<std::uint32_t>(json.size());
  chunk->checksum = format::checksum(chunk + 1, round_up(json.size(), 8));
  __atomic_store_n(&chunk->state, static_cast<std::uint32_t>(format::kSealed), __ATOMIC_RELEASE);
  return true;
}

void TraceFile::seal_definitions() const {
  // All of them, also those that were replaced.
  for_each_chunk([](ChunkHeader& chunk) {
    if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::definitions)) return;
    const char* body = reinterpret_cast<const char*>(&chunk + 1);
    const std::size_t room = chunk.size - sizeof(ChunkHeader);
    std::size_t used = 0;
    while (used + sizeof(format::DefinitionHeader) <= room) {
      const auto* header = reinterpret_cast<const format::DefinitionHeader*>(body + used);
      if (header->tag == 0) break;
      used += header->length;
    }
    seal(&chunk, used);
  });
}

void TraceFile::finish() {
  seal_definitions();
  munmap(base_, max_bytes_);
  base_ = nullptr;
  // Without this the reader would only skip the zeros behind the last chunk.
  if (ftruncate(fd_, static_cast<off_t>(bytes_used())) != 0) errno = 0;
  close(fd_);
  fd_ = -1;
}

void TraceFile::abandon() {
  ready_ = 0;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace gilscope
