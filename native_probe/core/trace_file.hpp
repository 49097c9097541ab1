// The chunks of a trace file while it is written, filled from the front.
//
// Before the `ready` frontier lie pages that exist on disk and are mapped (see FilePages), so that
// a thread which takes a chunk there takes no page fault. The page feeder moves the frontier ahead
// of all others; a thread that finds nothing ready moves it itself.
//
// With a ring, the last part of the file is kept for chunks of events, all of one size; when they
// are used up, the oldest ones that nobody writes to are used again.
//
// Somebody may cut the file or write to it while we do. So nothing that is read back from it is
// believed: sizes are checked, and what must be right is kept in memory of our own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/file_pages.hpp"
#include "core/format.hpp"

namespace gilscope {

class TraceFile {
 public:
  // Where chunks are taken: those of events from a part of their own if there is a ring.
  enum class Part { front, events };

  // Creates the file (0600, an existing one is replaced). An empty path makes memory without a
  // file. Throws std::system_error.
  TraceFile(const std::string& path, std::uint64_t max_bytes, bool ring = false);
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  // To be called before anything else is written; the header is never changed again.
  void write_header(const format::FileHeader& header);

  // Takes a chunk of `size` bytes (rounded up to the alignment; events in a ring get chunks of its
  // size); nullptr when there is no room. Callable from any thread and hook, and lock-free but
  // where nothing is ready. The last bytes of the file are kept for what must still be said when
  // events have filled it: names, END.
  // `*got` is the size that it has.
  format::ChunkHeader* allocate(format::ChunkKind kind, std::uint32_t thread, std::size_t size,
                                std::size_t* got = nullptr);

  // Makes sure that at least `ahead` bytes are ready beyond what is used. False at `max_bytes` or
  // when the file cannot grow. Waits for others that do the same: not for hooks.
  bool extend(std::size_t ahead, Part part = Part::front);
  std::size_t ready_ahead(Part part = Part::front) const;

  // Writes one definition; false when there was no room. Lock-free.
  bool define(format::DefinitionTag tag, const void* fixed, std::size_t fixed_size,
              std::string_view text = {}, std::string_view text2 = {});
  template <typename Body>
  bool define(const Body& body, std::string_view text = {}, std::string_view text2 = {}) {
    return define(Body::kTag, &body, sizeof body, text, text2);
  }
  template <std::size_t N>
  bool define(const format::Stack<N>& stack) {
    return define(format::DefinitionTag::stack, &stack, stack.size());
  }
  // Writes to the trace that a class of events is missing from it.
  bool define_not_measured(std::string_view what, std::string_view reason) {
    return define(format::NotMeasuredBody{static_cast<std::uint32_t>(what.size()),
                                          static_cast<std::uint32_t>(reason.size())},
                  what, reason);
  }
  bool write_json(format::ChunkKind kind, std::string_view json);

  static void seal(format::ChunkHeader* chunk, std::size_t used);
  // Seals a chunk of events; in a ring it may be used again from now on.
  void seal_events(format::ChunkHeader* chunk, std::size_t used);

  // Calls `visit(chunk, size)` for every chunk so far, in a ring also while it is used again.
  template <typename Visit>
  void for_each_chunk(Visit visit) const {
    walk_front([](const format::ChunkHeader* chunk) { return is_there(chunk); }, visit);
    for (std::uint32_t i = 0; i < ring_chunks(); ++i) {
      if (is_there(ring_chunk(i))) visit(*ring_chunk(i), ring_size_);
    }
  }

  // For a reader beside the writers: `visit(chunk, size)` for every chunk of events, none of which
  // is used again while it is visited; whoever has it may go on writing to it. One at a time.
  template <typename Visit>
  void for_each_events_chunk(Visit visit) const {
    for_each_chunk_in_front([&](const format::ChunkHeader& chunk, std::size_t size) {
      if (chunk.kind == static_cast<std::uint16_t>(format::ChunkKind::events)) visit(chunk, size);
    });
    for (std::uint32_t i = 0; i < ring_chunks(); ++i) {
      // Acquire: what is read is what its owner made of it, and not the zeros before.
      if ((use_[i].fetch_or(kPinned, std::memory_order_acquire) & kClaimed) == 0) {
        visit(*ring_chunk(i), ring_size_);
      }
      use_[i].fetch_and(static_cast<std::uint8_t>(~kPinned), std::memory_order_release);
    }
  }
  // The same for all other chunks and, without a ring, those of events.
  template <typename Visit>
  void for_each_chunk_in_front(Visit visit) const {
    walk_front([](const format::ChunkHeader* chunk) { return wait_for(chunk); }, visit);
  }

  // Calls `visit(definition)` for every definition so far.
  template <typename Visit>
  void for_each_definition(Visit visit) const {
    for_each_chunk([&](const format::ChunkHeader& chunk, std::size_t size) {
      if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::definitions)) return;
      walk_definitions(chunk, size - sizeof chunk, has_tag, visit);
    });
  }

  static bool has_tag(const format::DefinitionHeader& header) {
    return __atomic_load_n(&header.tag, __ATOMIC_ACQUIRE) != 0;
  }
  // Calls `visit(definition)` for each one in the first `room` bytes of a chunk's payload, up to
  // one that is not there, which `is_there(header)` may wait for. Returns the bytes up to it.
  template <typename IsThere, typename Visit>
  static std::size_t walk_definitions(const format::ChunkHeader& chunk, std::size_t room,
                                      IsThere is_there, Visit visit) {
    const char* payload = reinterpret_cast<const char*>(&chunk + 1);
    std::size_t at = 0;
    while (at + sizeof(format::DefinitionHeader) <= room) {
      const auto* header = reinterpret_cast<const format::DefinitionHeader*>(payload + at);
      if (!is_there(*header)) break;
      const std::size_t length = header->length;
      if (length < sizeof *header || length > room - at) break;
      visit(format::Definition{static_cast<format::DefinitionTag>(header->tag),
                               payload + at + sizeof *header, length - sizeof *header});
      at += length;
    }
    return at;
  }

  // Seals the definitions, cuts the file to what is used and unmaps it. Nobody writes any more.
  void finish();
  // Stops handing out chunks and leaves mapping and file as they are: for a thread that could not
  // be waited for, which may still write. The TraceFile must then never be destroyed.
  void abandon();

  // Size of the file as it is.
  std::uint64_t bytes_used() const;
  // Bytes taken for events and, without a ring, for everything else.
  std::uint64_t taken() const { return part_of_events().cursor.load(std::memory_order_relaxed); }
  // Why the file cannot grow, an errno; 0 while it can.
  int error() const { return pages_.error(); }
  bool cannot_grow() const { return error() != 0; }
  // Whether somebody cut the file, so that what is read back from it is not what was written.
  bool truncated() const { return pages_.truncated(); }
  // The fate of the file so far.
  FilePages::Fate fate() const { return pages_.fate(bytes_used()); }
  // Whether no more than what is ready can be had.
  bool at_limit(Part part = Part::front) const {
    return part_at(part).at_limit.load(std::memory_order_relaxed);
  }
  // Whether a request for a chunk was ever refused: only then something is missing from the file.
  bool refused() const { return refused_.load(std::memory_order_relaxed); }
  bool is_ring() const { return use_ != nullptr; }
  // Events that were in chunks which have been used again.
  std::uint64_t overwritten() const { return overwritten_.load(std::memory_order_relaxed); }
  std::uint64_t last_sequence() const { return sequence_.load(std::memory_order_relaxed); }
  const char* header() const { return pages_.at(0); }
  static std::size_t alignment() { return FilePages::page(); }

 private:
  // A part of the file that is filled from its front.
  struct Space {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::atomic<std::uint64_t> cursor{0};
    std::atomic<std::uint64_t> ready{0};
    std::atomic<bool> at_limit{false};

    bool holds(std::uint64_t bytes) const {
      // In this order: the cursor is never ahead of a frontier that is read after it.
      const std::uint64_t used = cursor.load(std::memory_order_acquire);
      return used + bytes <= ready.load(std::memory_order_acquire);
    }
  };

  // What becomes of a chunk of the ring. `claimed`: not there yet, or being made new; else `sealed`
  // or with an owner. `pinned`: somebody reads it, it is not to be claimed.
  enum Use : std::uint8_t { kSealed = 1, kClaimed = 2, kPinned = 4 };

  Space& part_at(Part part) { return part == Part::events && is_ring() ? ring_ : front_; }
  const Space& part_at(Part part) const {
    return part == Part::events && is_ring() ? ring_ : front_;
  }
  const Space& part_of_events() const { return part_at(Part::events); }
  format::ChunkHeader* chunk_at(std::uint64_t offset) const {
    return reinterpret_cast<format::ChunkHeader*>(pages_.at(offset));
  }
  format::ChunkHeader* ring_chunk(std::uint32_t i) const {
    return chunk_at(ring_.begin + std::uint64_t{i} * ring_size_);
  }
  std::uint32_t ring_chunks() const {
    if (!is_ring()) return 0;
    const std::uint64_t taken = ring_.cursor.load(std::memory_order_acquire) - ring_.begin;
    return static_cast<std::uint32_t>(taken / ring_size_);
  }
  static bool is_there(const format::ChunkHeader* chunk) {
    return __atomic_load_n(&chunk->magic, __ATOMIC_ACQUIRE) == format::kChunkMagic;
  }
  // A chunk that was taken just now gets its header at once, if its thread is not held up.
  static bool wait_for(const format::ChunkHeader* chunk);

  // The size of a chunk as it stands in the file; 0 where that cannot be.
  static std::size_t size_of(const format::ChunkHeader* chunk, std::uint64_t room) {
    const std::size_t size = __atomic_load_n(&chunk->size, __ATOMIC_RELAXED);
    return size >= sizeof *chunk && size <= room && size % alignment() == 0 ? size : 0;
  }

  // Returns the offset that it came to: that of the end, where all chunks are there.
  template <typename IsThere, typename Visit>
  std::uint64_t walk_front(IsThere is_there_now, Visit visit) const {
    const std::uint64_t end = front_.cursor.load(std::memory_order_acquire);
    std::uint64_t offset = alignment();
    while (offset < end) {
      format::ChunkHeader* chunk = chunk_at(offset);
      const std::size_t size = is_there_now(chunk) ? size_of(chunk, end - offset) : 0;
      if (size == 0) break;
      visit(*chunk, size);
      offset += size;
    }
    return offset;
  }

  void divide(bool ring);
  bool take(Space& space, std::size_t size, std::size_t kept, std::uint64_t* offset);
  format::ChunkHeader* take_from_ring(std::uint32_t thread);
  format::ChunkHeader* use_again(std::uint32_t* place);
  void begin_chunk(format::ChunkHeader* chunk, format::ChunkKind kind, std::uint32_t thread,
                   std::size_t size);
  bool help(Space& space, std::size_t wanted);
  bool grow(Space& space, std::size_t wanted);
  bool try_growing();
  char* reserve_definition(std::size_t length);
  void seal_definitions();
  static std::size_t definitions_chunk();
  static std::size_t kept_from(format::ChunkKind kind);

  static constexpr std::size_t kDefinitionsChunk = std::size_t{16} * 1024;
  FilePages pages_;
  Space front_;
  Space ring_;
  std::size_t ring_size_ = 0;  // of each of its chunks
  std::unique_ptr<std::atomic<std::uint8_t>[]> use_;
  std::atomic<std::uint64_t> hand_{0};  // goes round the ring
  std::atomic<std::uint64_t> overwritten_{0};
  std::atomic<bool> growing_{false};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<format::ChunkHeader*> definitions_{nullptr};
  std::atomic<bool> refused_{false};
};

}  // namespace gilscope
