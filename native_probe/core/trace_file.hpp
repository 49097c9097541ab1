// The trace file while it is written: one shared mapping, filled from the front.
//
// A single address range is reserved for `max_bytes` of file. Behind the `ready` frontier lie pages
// that exist on disk and are mapped, so that a thread which takes a chunk there takes no page
// fault; only `extend()` moves the frontier, and only the session's own thread and its start call
// it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/format.hpp"

namespace gilscope {

class TraceFile {
 public:
  // Creates the file (0600, an existing one is replaced). An empty path makes a file in memory that
  // has no name. Throws std::system_error.
  TraceFile(const std::string& path, std::uint64_t max_bytes);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  // To be called before anything else is written; the header is never changed again.
  void write_header(const format::FileHeader& header);

  // Takes a chunk of `size` bytes (rounded up to the alignment); nullptr when the space that is
  // ready does not hold it. Lock-free, callable from any thread and hook. The last bytes before the
  // frontier are kept for what must still be said when events have filled the file: names, END.
  format::ChunkHeader* allocate(format::ChunkKind kind, std::uint32_t thread, std::size_t size);

  // Makes sure that at least `ahead` bytes are ready beyond what is used. False at `max_bytes` or
  // when the disk is full; `error()` then says which.
  bool extend(std::size_t ahead);
  std::size_t ready_ahead() const;

  // Writes one definition; false when there was no room. Lock-free.
  bool define(format::DefinitionTag tag, const void* fixed, std::size_t fixed_size,
              std::string_view text = {}, std::string_view text2 = {});
  bool write_json(format::ChunkKind kind, std::string_view json);

  static void seal(format::ChunkHeader* chunk, std::size_t used);

  // Calls `visit(chunk)` for every chunk so far.
  template <typename Visit>
  void for_each_chunk(Visit visit) const {
    const std::uint64_t end = bytes_used();
    std::uint64_t offset = alignment();
    while (offset < end) {
      auto* chunk = reinterpret_cast<format::ChunkHeader*>(base_ + offset);
      if (__atomic_load_n(&chunk->magic, __ATOMIC_ACQUIRE) != format::kChunkMagic) return;
      visit(*chunk);
      offset += chunk->size;
    }
  }

  // Calls `visit(body)` for every definition of one kind so far.
  template <typename Visit>
  void for_each_definition(format::DefinitionTag tag, Visit visit) const {
    for_each_chunk([&](const format::ChunkHeader& chunk) {
      if (chunk.kind != static_cast<std::uint16_t>(format::ChunkKind::definitions)) return;
      const char* at = reinterpret_cast<const char*>(&chunk + 1);
      const char* end = reinterpret_cast<const char*>(&chunk) + chunk.size;
      while (at + sizeof(format::DefinitionHeader) < end) {
        const auto* header = reinterpret_cast<const format::DefinitionHeader*>(at);
        const std::uint16_t found = __atomic_load_n(&header->tag, __ATOMIC_ACQUIRE);
        if (found == 0) return;
        if (found == static_cast<std::uint16_t>(tag)) visit(header + 1);
        at += header->length;
      }
    });
  }

  // Seals the definitions, cuts the file to what is used and unmaps it. Nobody writes any more.
  void finish();
  // Stops handing out chunks and leaves mapping and file as they are: for a thread that could not
  // be waited for, which may still write. The TraceFile must then never be destroyed.
  void abandon();

  std::uint64_t bytes_used() const { return cursor_.load(std::memory_order_relaxed); }
  bool disk_full() const { return disk_full_.load(std::memory_order_relaxed); }
  bool at_limit() const { return at_limit_.load(std::memory_order_relaxed); }
  // Whether anybody was ever refused a chunk: only then something is missing from the file.
  bool refused() const { return refused_.load(std::memory_order_relaxed); }
  static std::size_t alignment();

 private:
  char* reserve_definition(std::size_t length);
  void seal_definitions() const;
  bool reserve_on_disk(std::uint64_t begin, std::uint64_t end) const;
  static std::size_t kept_from(format::ChunkKind kind);

  static constexpr std::size_t kDefinitionsChunk = std::size_t{64} * 1024;
  int fd_ = -1;
  char* base_ = nullptr;
  std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> cursor_{0};
  std::atomic<std::uint64_t> ready_{0};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<format::ChunkHeader*> definitions_{nullptr};
  std::atomic<bool> disk_full_{false};
  std::atomic<bool> at_limit_{false};
  std::atomic<bool> refused_{false};
};

}  // namespace gilscope
