#include "core/trace_file.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/clock.hpp"
#include "core/signals.hpp"

namespace gilscope {
namespace {

using format::ChunkHeader;

// What a thread makes ready that finds nothing: a quarter of what is used already, so that a short
// run has a small file; a tenth of a millisecond's work at the most.
constexpr std::uint64_t kLeastHelp = std::uint64_t{32} * 1024;
constexpr std::uint64_t kMostHelp = std::uint64_t{256} * 1024;
// How long a thread lets another one make space ready before it gives up.
constexpr std::uint64_t kPatience = 20'000'000;  // ns; what is lost is lost

// Space for all but events, in a file with a ring.
constexpr std::uint64_t kLeastFront = 2 << 20;
constexpr std::uint64_t kMostFront = 64 << 20;
// A ring has about a thousand chunks, so that using one again loses little of what is latest.
constexpr std::uint64_t kRingChunks = 1024;
constexpr std::size_t kLargestRingChunk = std::size_t{64} * 1024;

// For readers of the file after the end of the process; threads of this one have `use_`.
void before_later_stores() {
#if !defined(__SANITIZE_THREAD__)  // which knows no fences
  __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::uint64_t largest_power_of_two(std::uint64_t most) {
  std::uint64_t power = 1;
  while (power * 2 <= most) power *= 2;
  return power;
}

}  // namespace

TraceFile::TraceFile(const std::string& path, std::uint64_t max_bytes, bool ring)
    : pages_(path, max_bytes) {
  divide(ring);
  if (extend(1)) return;
  const int error = cannot_grow() ? pages_.error() : EFBIG;
  if (!path.empty()) unlink(path.c_str());
  throw std::system_error(error, std::generic_category(), path);
}

// Where the parts of the file begin and end. A chunk of the ring is a power of two in size and
// begins at a multiple of it: no segment ends within one.
void TraceFile::divide(bool ring) {
  const std::uint64_t most = pages_.max_bytes();
  front_.begin = 0;
  front_.end = most;
  front_.cursor = alignment();
  if (!ring) return;
  ring_size_ = std::clamp<std::size_t>(largest_power_of_two(most / kRingChunks), alignment(),
                                       std::max(kLargestRingChunk, alignment()));
  front_.end = round_up(std::clamp(most / 4, kLeastFront, kMostFront), ring_size_);
  const std::uint64_t room = most > front_.end ? most - front_.end : 0;
  const std::uint64_t chunks = room / ring_size_;
  ring_.begin = front_.end;
  ring_.end = ring_.begin + chunks * ring_size_;
  ring_.cursor = ring_.begin;
  ring_.ready = ring_.begin;
  use_ = std::make_unique<std::atomic<std::uint8_t>[]>(chunks);
  for (std::uint64_t i = 0; i < chunks; ++i) use_[i].store(kClaimed, std::memory_order_relaxed);
}

void TraceFile::write_header(const format::FileHeader& header) {
  std::memcpy(pages_.at(0), &header, sizeof header);
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

bool TraceFile::try_growing() {
  bool expected = false;
  return growing_.compare_exchange_strong(expected, true, std::memory_order_acquire);
}

// For the thread that has `growing_`.
bool TraceFile::grow(Space& space, std::size_t wanted) {
  const std::uint64_t ready = space.ready.load(std::memory_order_relaxed);
  const std::uint64_t least = space.cursor.load(std::memory_order_relaxed) + wanted;
  if (least <= ready) return true;
  if (cannot_grow()) return false;
  const std::uint64_t target = std::min<std::uint64_t>(round_up(least, alignment()), space.end);
  const std::uint64_t there = target > ready ? pages_.make(ready, target) : ready;
  // Release: a thread that sees the new frontier may write to the pages before it.
  space.ready.store(there, std::memory_order_release);
  if (there == space.end) space.at_limit = true;
  return there >= least;
}

bool TraceFile::extend(std::size_t ahead, Part part) {
  const SignalsBlocked blocked;
  while (!try_growing()) sched_yield();
  const bool done = grow(part_at(part), ahead);
  growing_.store(false, std::memory_order_release);
  return done;
}

// In a hook: makes space ready, or waits a little for the thread that does so already.
bool TraceFile::help(Space& space, std::size_t wanted) {
  if (space.at_limit.load(std::memory_order_acquire) || cannot_grow()) return space.holds(wanted);
  const int kept_errno = errno;
  const SignalsBlocked blocked;
  const std::uint64_t used = space.cursor.load(std::memory_order_relaxed) - space.begin;
  const std::size_t step = std::clamp(used / 4, kLeastHelp, kMostHelp);
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  bool done = false;
  while (!done && nanoseconds(CLOCK_MONOTONIC) < deadline) {
    if (try_growing()) {
      grow(space, wanted + step);
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

std::size_t TraceFile::definitions_chunk() { return round_up(kDefinitionsChunk, alignment()); }

std::size_t TraceFile::kept_from(format::ChunkKind kind) {
  switch (kind) {
    case format::ChunkKind::events:
    case format::ChunkKind::threads: return definitions_chunk() + alignment();
    case format::ChunkKind::definitions: return alignment();
    default: return 0;
  }
}

bool TraceFile::take(Space& space, std::size_t size, std::size_t kept, std::uint64_t* offset) {
  const std::size_t wanted = size + kept;
  *offset = space.cursor.load(std::memory_order_relaxed);
  do {
    while (*offset + wanted > space.ready.load(std::memory_order_acquire)) {
      if (!help(space, wanted)) return false;
      *offset = space.cursor.load(std::memory_order_relaxed);
    }
    if (size > pages_.in_one_piece(*offset)) return false;
  } while (!space.cursor.compare_exchange_weak(*offset, *offset + size, std::memory_order_acq_rel));
  return true;
}

// Goes round, so that the oldest comes first; one that its thread has not done with is passed over.
ChunkHeader* TraceFile::use_again(std::uint32_t* place) {
  const std::uint32_t n = ring_chunks();
  for (std::uint32_t tries = 0; tries < n; ++tries) {
    const auto i = static_cast<std::uint32_t>(hand_.fetch_add(1, std::memory_order_relaxed) % n);
    std::uint8_t expected = kSealed;
    if (!use_[i].compare_exchange_strong(expected, kClaimed, std::memory_order_acquire)) continue;
    ChunkHeader* chunk = ring_chunk(i);
    const std::size_t used = std::min<std::size_t>(chunk->used, ring_size_ - sizeof *chunk);
    overwritten_.fetch_add(used / sizeof(format::EventRecord), std::memory_order_relaxed);
    // In this order, however the process ends: no chunk has the records of another one.
    __atomic_store_n(&chunk->magic, 0, __ATOMIC_RELAXED);
    before_later_stores();
    std::memset(static_cast<void*>(chunk + 1), 0, used);
    chunk->used = 0;
    chunk->checksum = 0;
    __atomic_store_n(&chunk->state, static_cast<std::uint32_t>(format::kOpen), __ATOMIC_RELAXED);
    *place = i;
    return chunk;
  }
  return nullptr;
}

ChunkHeader* TraceFile::take_from_ring(std::uint32_t thread) {
  ChunkHeader* chunk = nullptr;
  std::uint64_t offset = 0;
  std::uint32_t place = 0;
  if (take(ring_, ring_size_, 0, &offset)) {
    chunk = chunk_at(offset);
    place = static_cast<std::uint32_t>((offset - ring_.begin) / ring_size_);
  } else {
    chunk = use_again(&place);
  }
  if (chunk == nullptr) return nullptr;
  begin_chunk(chunk, format::ChunkKind::events, thread, ring_size_);
  use_[place].fetch_and(static_cast<std::uint8_t>(~kClaimed), std::memory_order_release);
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

ChunkHeader* TraceFile::allocate(format::ChunkKind kind, std::uint32_t thread, std::size_t size,
                                 std::size_t* got) {
  ChunkHeader* chunk = nullptr;
  if (kind == format::ChunkKind::events && is_ring()) {
    size = ring_size_;
    chunk = take_from_ring(thread);
  } else {
    size = round_up(size, alignment());
    std::uint64_t offset = 0;
    if (take(front_, size, kept_from(kind), &offset)) {
      chunk = chunk_at(offset);
      begin_chunk(chunk, kind, thread, size);
    }
  }
  if (chunk == nullptr) refused_.store(true, std::memory_order_relaxed);
  if (got != nullptr) *got = size;
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
  const std::uint64_t place = (pages_.offset_of(chunk) - ring_.begin) / ring_size_;
  // Release: the thread that claims it may write all of it.
  use_[place].fetch_or(kSealed, std::memory_order_release);
}

void TraceFile::seal(ChunkHeader* chunk, std::size_t used) {
  chunk->used = static_cast<std::uint32_t>(used);
  chunk->checksum = format::checksum(chunk + 1, used);
  __atomic_store_n(&chunk->state, static_cast<std::uint32_t>(format::kSealed), __ATOMIC_RELEASE);
}

char* TraceFile::reserve_definition(std::size_t length) {
  const std::size_t room = definitions_chunk() - sizeof(ChunkHeader);
  if (length > room) {
    // A chunk of its own.
    ChunkHeader* own =
        allocate(format::ChunkKind::definitions, 0, length + sizeof(ChunkHeader), nullptr);
    return own != nullptr ? reinterpret_cast<char*>(own + 1) : nullptr;
  }
  for (;;) {
    ChunkHeader* chunk = definitions_.load(std::memory_order_acquire);
    if (chunk != nullptr) {
      // While the chunk is open its `used` is the cursor of all its writers.
      std::uint32_t at = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
      while (at + length <= room) {
        if (__atomic_compare_exchange_n(&chunk->used, &at, at + static_cast<std::uint32_t>(length),
                                        true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
          return reinterpret_cast<char*>(chunk + 1) + at;
        }
      }
    }
    ChunkHeader* fresh = allocate(format::ChunkKind::definitions, 0, definitions_chunk(), nullptr);
    if (fresh == nullptr) return nullptr;
    // Two threads may both bring one; the second one's stays empty in the file.
    definitions_.compare_exchange_strong(chunk, fresh, std::memory_order_acq_rel);
  }
}

bool TraceFile::define(format::DefinitionTag tag, const void* fixed, std::size_t fixed_size,
                       std::string_view text, std::string_view text2) {
  const std::size_t length = format::definition_length(fixed_size + text.size() + text2.size());
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

void TraceFile::seal_definitions() {
  // All of them, also those that were replaced.
  const auto is_there_now = [](const ChunkHeader* chunk) { return is_there(chunk); };
  const std::uint64_t end = walk_front(is_there_now, [](ChunkHeader& chunk, std::size_t size) {
    if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::definitions)) return;
    seal(&chunk,
         walk_definitions(chunk, size - sizeof chunk, has_tag, [](const format::Definition&) {}));
  });
  // The file was cut, and it grew again before its size was read.
  if (end < front_.cursor.load(std::memory_order_relaxed)) pages_.set_truncated();
}

void TraceFile::finish() {
  seal_definitions();
  pages_.finish(bytes_used());
}

void TraceFile::abandon() {
  front_.at_limit = ring_.at_limit = true;
  front_.ready = ring_.ready = 0;
  pages_.close();
}

}  // namespace gilscope
