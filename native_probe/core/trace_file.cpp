#include "core/trace_file.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

// What a thread makes ready that finds nothing: a millisecond's work at the most.
constexpr std::size_t kHelp = 1 << 20;
// How long a thread lets another one make space ready before it gives up.
constexpr std::uint64_t kPatience = 20'000'000;  // ns; what is lost is lost

// Space for all but events, in a file with a ring.
constexpr std::uint64_t kLeastFront = 2 << 20;
constexpr std::uint64_t kMostFront = 64 << 20;
// A ring has about a thousand chunks, so that using one again loses little of what is latest.
constexpr std::uint64_t kRingChunks = 1024;
constexpr std::size_t kLargestRingChunk = std::size_t{64} * 1024;

// A thread that is interrupted while it makes space ready keeps others waiting; and with a timer
// that is fast enough, what a signal interrupts is never done.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// To write beyond this limit is a signal that ends the program.
std::uint64_t file_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// For who reads the file after the end of the process; threads of this one have `use_`.
void before_later_stores() {
#if !defined(__SANITIZE_THREAD__)  // which knows no fences
  __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

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

}  // namespace

int create_trace_file(const std::string& path) {
  struct stat existing{};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISREG(existing.st_mode) && !S_ISLNK(existing.st_mode)) fail(EEXIST, path);
    // A new inode: a reader that has the old file open keeps what it reads.
    unlink(path.c_str());
  }
  return open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

std::size_t TraceFile::alignment() {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

TraceFile::TraceFile(const std::string& path, std::uint64_t max_bytes, bool ring)
    : max_bytes_(round_up(max_bytes, alignment())) {
  const bool is_file = !path.empty();
  fd_ = is_file ? create_trace_file(path) : -1;
  if (is_file && fd_ < 0) fail(errno, path);
  const int sharing = is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* base = mmap(nullptr, max_bytes_, PROT_READ | PROT_WRITE, sharing | MAP_NORESERVE, fd_, 0);
  int error = base == MAP_FAILED ? errno : 0;
  if (error == 0) {
    base_ = static_cast<char*>(base);
    madvise(base_, max_bytes_, MADV_DONTFORK);  // a forked child must not write here
    divide(ring);
    if (!extend(1)) error = disk_full() ? ENOSPC : EFBIG;
  }
  if (error != 0) {
    if (base_ != nullptr) munmap(base_, max_bytes_);
    if (is_file) {
      close(fd_);
      unlink(path.c_str());
    }
    fail(error, path);
  }
}

// Where the parts of the file begin and end.
void TraceFile::divide(bool ring) {
  front_.begin = 0;
  front_.end = max_bytes_;
  front_.cursor = alignment();
  if (!ring) return;
  front_.end = round_up(std::clamp(max_bytes_ / 4, kLeastFront, kMostFront), alignment());
  ring_size_ = std::clamp(round_up(max_bytes_ / kRingChunks, alignment()), alignment(),
                          std::max(kLargestRingChunk, alignment()));
  const std::uint64_t room = max_bytes_ > front_.end ? max_bytes_ - front_.end : 0;
  const std::uint64_t chunks = room / ring_size_;
  ring_.begin = front_.end;
  ring_.end = ring_.begin + chunks * ring_size_;
  ring_.cursor = ring_.begin;
  ring_.ready = ring_.begin;
  use_ = std::make_unique<std::atomic<std::uint8_t>[]>(chunks);
  for (std::uint64_t i = 0; i < chunks; ++i) use_[i].store(kClaimed, std::memory_order_relaxed);
}

void TraceFile::write_header(const format::FileHeader& header) {
  std::memcpy(base_, &header, sizeof header);
}

TraceFile::~TraceFile() {
  if (base_ != nullptr) munmap(base_, max_bytes_);
  if (fd_ >= 0) close(fd_);
}

std::size_t TraceFile::ready_ahead(Part part) const {
  const Space& space = part_at(part);
  // In this order: the cursor is never ahead of a frontier that is read after it.
  const std::uint64_t cursor = space.cursor.load(std::memory_order_acquire);
  return space.ready.load(std::memory_order_relaxed) - cursor;
}

std::uint64_t TraceFile::bytes_used() const {
  const std::uint64_t front = front_.cursor.load(std::memory_order_relaxed);
  if (!is_ring()) return front;
  const std::uint64_t ring = ring_.cursor.load(std::memory_order_relaxed);
  return ring == ring_.begin ? front : ring;
}

bool TraceFile::reserve_on_disk(std::uint64_t begin, std::uint64_t end) const {
  if (fd_ < 0) return true;
  if (end > file_limit()) return false;
  int error = 0;
  do {
    error = posix_fallocate(fd_, static_cast<off_t>(begin), static_cast<off_t>(end - begin));
  } while (error == EINTR);
  return error == 0;
}

bool TraceFile::try_growing() {
  bool expected = false;
  return growing_.compare_exchange_strong(expected, true, std::memory_order_acquire);
}

// For whoever has `growing_`.
bool TraceFile::grow(Space& space, std::size_t wanted) {
  const std::uint64_t ready = space.ready.load(std::memory_order_relaxed);
  const std::uint64_t least = space.cursor.load(std::memory_order_relaxed) + wanted;
  if (least <= ready) return true;
  if (disk_full()) return false;
  const std::uint64_t target = std::min<std::uint64_t>(round_up(least, alignment()), space.end);
  // Blocks that exist on disk: a full disk is an error here and not a SIGBUS in somebody's thread.
  // Where there is no room for all of it, there may be some for a part.
  std::uint64_t size = target - ready;
  while (size != 0 && !(reserve_on_disk(ready, ready + size) && populate(base_ + ready, size))) {
    disk_full_ = true;
    size = size / 2 / alignment() * alignment();
  }
  // Release: whoever sees the new frontier may write to the pages before it.
  space.ready.store(ready + size, std::memory_order_release);
  if (ready + size == space.end) space.at_limit = true;
  return ready + size >= least;
}

bool TraceFile::extend(std::size_t ahead, Part part) {
  const SignalsBlocked blocked;
  while (!try_growing()) sched_yield();
  const bool done = grow(part_at(part), ahead);
  growing_.store(false, std::memory_order_release);
  return done;
}

// In a hook: makes space ready, or waits a little for whoever does so already.
bool TraceFile::help(Space& space, std::size_t wanted) {
  if (space.at_limit.load(std::memory_order_acquire) || disk_full()) return space.holds(wanted);
  const int kept_errno = errno;
  const SignalsBlocked blocked;
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  bool done = false;
  while (!done && nanoseconds(CLOCK_MONOTONIC) < deadline) {
    if (try_growing()) {
      grow(space, std::max(wanted, kHelp));
      growing_.store(false, std::memory_order_release);
      done = true;
    } else {
      sched_yield();
      done = space.holds(wanted);
    }
  }
  errno = kept_errno;
  return space.holds(wanted);
}

std::size_t TraceFile::kept_from(format::ChunkKind kind) {
  switch (kind) {
    case format::ChunkKind::events:
    case format::ChunkKind::threads: return kDefinitionsChunk + alignment();
    case format::ChunkKind::definitions: return alignment();
    default: return 0;
  }
}

ChunkHeader* TraceFile::take(Space& space, std::size_t size, std::size_t kept) {
  const std::size_t wanted = size + kept;
  std::uint64_t offset = space.cursor.load(std::memory_order_relaxed);
  do {
    while (offset + wanted > space.ready.load(std::memory_order_acquire)) {
      if (!help(space, wanted)) return nullptr;
      offset = space.cursor.load(std::memory_order_relaxed);
    }
  } while (!space.cursor.compare_exchange_weak(offset, offset + size, std::memory_order_acq_rel));
  return chunk_at(offset);
}

// Goes round, so that the oldest comes first; one that its thread has not done with is passed over.
ChunkHeader* TraceFile::use_again() {
  const std::uint32_t n = ring_chunks();
  for (std::uint32_t tries = 0; tries < n; ++tries) {
    const auto i = static_cast<std::uint32_t>(hand_.fetch_add(1, std::memory_order_relaxed) % n);
    std::uint8_t expected = kSealed;
    if (!use_[i].compare_exchange_strong(expected, kClaimed, std::memory_order_acquire)) continue;
    ChunkHeader* chunk = ring_chunk(i);
    overwritten_.fetch_add(chunk->used / sizeof(format::EventRecord), std::memory_order_relaxed);
    // In this order, however the process ends: no chunk has the records of another one.
    __atomic_store_n(&chunk->magic, 0, __ATOMIC_RELAXED);
    before_later_stores();
    std::memset(static_cast<void*>(chunk + 1), 0, chunk->used);
    chunk->used = 0;
    chunk->checksum = 0;
    __atomic_store_n(&chunk->state, static_cast<std::uint32_t>(format::kOpen), __ATOMIC_RELAXED);
    return chunk;
  }
  return nullptr;
}

ChunkHeader* TraceFile::take_from_ring(std::uint32_t thread) {
  ChunkHeader* chunk = take(ring_, ring_size_, 0);
  if (chunk == nullptr) chunk = use_again();
  if (chunk == nullptr) return nullptr;
  begin_chunk(chunk, format::ChunkKind::events, thread, ring_size_);
  const auto i =
      (reinterpret_cast<char*>(chunk) - base_ - static_cast<std::ptrdiff_t>(ring_.begin)) /
      static_cast<std::ptrdiff_t>(ring_size_);
  use_[static_cast<std::size_t>(i)].fetch_and(static_cast<std::uint8_t>(~kClaimed),
                                              std::memory_order_release);
  return chunk;
}

void TraceFile::begin_chunk(ChunkHeader* chunk, format::ChunkKind kind, std::uint32_t thread,
                            std::size_t size) {
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
}

ChunkHeader* TraceFile::allocate(format::ChunkKind kind, std::uint32_t thread, std::size_t size) {
  ChunkHeader* chunk = nullptr;
  if (kind == format::ChunkKind::events && is_ring()) {
    chunk = take_from_ring(thread);
  } else {
    size = round_up(size, alignment());
    chunk = take(front_, size, kept_from(kind));
    if (chunk != nullptr) begin_chunk(chunk, kind, thread, size);
  }
  if (chunk == nullptr) refused_.store(true, std::memory_order_relaxed);
  return chunk;
}

bool TraceFile::wait_for(const ChunkHeader* chunk) {
  if (is_there(chunk)) return true;
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  while (!is_there(chunk)) {
    if (nanoseconds(CLOCK_MONOTONIC) > deadline) return false;
    sched_yield();
  }
  return true;
}

void TraceFile::seal_events(ChunkHeader* chunk, std::size_t used) {
  seal(chunk, used);
  if (!is_ring()) return;
  const auto offset = static_cast<std::uint64_t>(reinterpret_cast<char*>(chunk) - base_);
  // Release: whoever claims it may do with it what he likes.
  use_[(offset - ring_.begin) / ring_size_].fetch_or(kSealed, std::memory_order_release);
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
  front_.at_limit = ring_.at_limit = true;
  front_.ready = ring_.ready = 0;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace gilscope
