#include "core/snapshot.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>
#include <vector>

#include "core/session.hpp"

namespace gilscope {
namespace {

using format::ChunkHeader;
using format::ChunkKind;
using format::EventRecord;

// For a definition that a thread has just begun to write.
constexpr std::uint64_t kPatience = 10'000'000;  // ns

// Slots change while they are read, word by word, as they do for the reader of a
// crashed program's file: what is open in a slot and over in a record counts as over.
__attribute__((no_sanitize("thread"))) void copy_words(void* to, const void* from,
                                                       std::size_t size) {
  auto* target = static_cast<volatile std::uint64_t*>(to);
  const auto* source = static_cast<const volatile std::uint64_t*>(from);
  for (std::size_t i = 0; i < size / sizeof *target; ++i) target[i] = source[i];
}

class Copy {
 public:
  explicit Copy(const std::string& path) : path_(path), fd_(create_trace_file(path)) {
    if (fd_ < 0) fail();
  }
  ~Copy() {
    if (fd_ < 0) return;
    // Not finished: something was thrown.
    close(fd_);
    unlink(path_.c_str());
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  void write(const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    while (size != 0) {
      const ssize_t n = ::write(fd_, at, size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail();
      at += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  // A sealed chunk of the first `used` bytes of payload; `fill(payload)` writes them.
  template <typename Fill>
  void write_chunk(ChunkKind kind, std::uint32_t thread, std::uint64_t sequence,
                   std::uint64_t open_ticks, std::size_t used, Fill fill) {
    const std::size_t padded = (used + 7) / 8 * 8;
    const std::size_t page = TraceFile::alignment();
    const std::size_t size = (sizeof(ChunkHeader) + padded + page - 1) / page * page;
    buffer_.assign(size / sizeof(std::uint64_t), 0);
    auto* chunk = reinterpret_cast<ChunkHeader*>(buffer_.data());
    chunk->magic = format::kChunkMagic;
    chunk->kind = static_cast<std::uint16_t>(kind);
    chunk->size = static_cast<std::uint32_t>(size);
    chunk->thread = thread;
    chunk->sequence = sequence;
    chunk->open_ticks = open_ticks;
    chunk->header_checksum = format::checksum(chunk, offsetof(ChunkHeader, header_checksum));
    chunk->state = format::kSealed;
    chunk->used = static_cast<std::uint32_t>(used);
    fill(chunk + 1);
    chunk->checksum = format::checksum(chunk + 1, padded);
    write(buffer_.data(), size);
  }

  void finish() {
    const int fd = fd_;
    fd_ = -1;
    if (close(fd) != 0) {
      const int error = errno;
      unlink(path_.c_str());
      errno = error;
      fail();
    }
  }

 private:
  [[noreturn]] void fail() const { throw std::system_error(errno, std::generic_category(), path_); }

  std::string path_;
  int fd_;
  std::vector<std::uint64_t> buffer_;
};

bool is(const ChunkHeader& chunk, ChunkKind kind) {
  return chunk.kind == static_cast<std::uint16_t>(kind);
}

template <typename Fill>
void write_like(Copy& copy, const ChunkHeader& chunk, std::size_t used, Fill fill) {
  copy.write_chunk(static_cast<ChunkKind>(chunk.kind), chunk.thread, chunk.sequence,
                   chunk.open_ticks, used, fill);
}

// Returns how many events the threads have dropped so far.
std::uint64_t write_slots(Copy& copy, const ChunkHeader& chunk, std::size_t size) {
  std::uint64_t dropped = 0;
  const std::size_t room =
      (size - sizeof chunk) / sizeof(format::ThreadSlot) * sizeof(format::ThreadSlot);
  write_like(copy, chunk, room, [&](void* payload) {
    copy_words(payload, &chunk + 1, room);
    const auto* slots = static_cast<const format::ThreadSlot*>(payload);
    for (std::size_t i = 0; i < room / sizeof *slots; ++i) dropped += slots[i].dropped;
  });
  return dropped;
}

// Returns whether there was anything to write.
bool write_events(Copy& copy, const ChunkHeader& chunk, std::size_t size) {
  const auto* first = reinterpret_cast<const EventRecord*>(&chunk + 1);
  const auto* end = first + (size - sizeof chunk) / sizeof(EventRecord);
  const EventRecord* record = first;
  // Acquire: a record whose kind is there is there wholly.
  while (record < end && __atomic_load_n(&record->kind, __ATOMIC_ACQUIRE) != 0) ++record;
  const auto used = static_cast<std::size_t>(record - first) * sizeof(EventRecord);
  if (used == 0) return false;
  write_like(copy, chunk, used, [&](void* payload) { std::memcpy(payload, first, used); });
  return true;
}

// A ring goes on meanwhile: a thread whose only chunk was used again before its turn came may have
// one by now where others stood. So threads of which nothing was found are looked for once more.
void write_all_events(Copy& copy, const Session& session) {
  constexpr int kRounds = 4;
  std::set<std::uint32_t> found;
  for (int round = 0; round < kRounds; ++round) {
    std::set<std::uint32_t> now;
    session.file().for_each_events_chunk([&](const ChunkHeader& chunk, std::size_t size) {
      const std::uint32_t thread = chunk.thread;
      if (found.count(thread) == 0 && write_events(copy, chunk, size)) now.insert(thread);
    });
    found.merge(now);
    if (!session.file().is_ring()) return;
  }
}

std::size_t whole_definitions(const ChunkHeader& chunk, std::size_t size) {
  const std::size_t taken =
      std::min<std::size_t>(__atomic_load_n(&chunk.used, __ATOMIC_ACQUIRE), size - sizeof chunk);
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
  auto wait_for = [deadline](const format::DefinitionHeader& header) {
    while (!TraceFile::has_tag(header)) {
      if (nanoseconds(CLOCK_MONOTONIC) >= deadline) return false;
      sched_yield();
    }
    return true;
  };
  return TraceFile::walk_definitions(chunk, taken, wait_for, [](const format::Definition&) {});
}

void write_definitions(Copy& copy, const ChunkHeader& chunk, std::size_t size) {
  const std::size_t used = whole_definitions(chunk, size);
  write_like(copy, chunk, used, [&](void* payload) { std::memcpy(payload, &chunk + 1, used); });
}

void write_metadata(Copy& copy, const ChunkHeader& chunk, std::size_t size) {
  const std::size_t used = std::min<std::size_t>(chunk.used, size - sizeof chunk);
  write_like(copy, chunk, used, [&](void* payload) { std::memcpy(payload, &chunk + 1, used); });
}

}  // namespace

// In this order: what is over when its slot is read has its record later on, and what a record
// refers to was defined by the time that the definitions are read.
void write_snapshot(Session& session, const std::string& path, bool gil_enabled) {
  TraceFile& file = session.file();
  Copy copy(path);
  copy.write(file.header(), TraceFile::alignment());
  std::uint64_t dropped = session.dropped_without_slot();
  file.for_each_chunk_in_front([&](const ChunkHeader& chunk, std::size_t size) {
    if (is(chunk, ChunkKind::metadata)) write_metadata(copy, chunk, size);
    if (is(chunk, ChunkKind::threads)) dropped += write_slots(copy, chunk, size);
  });
  write_all_events(copy, session);
  sample_clock(file);
  file.for_each_chunk_in_front([&](const ChunkHeader& chunk, std::size_t size) {
    if (is(chunk, ChunkKind::definitions)) write_definitions(copy, chunk, size);
  });
  const std::string end = session.end_json("snapshot", gil_enabled, dropped);
  copy.write_chunk(ChunkKind::end, 0, file.last_sequence() + 1, Clock::ticks(), end.size(),
                   [&](void* payload) { std::memcpy(payload, end.data(), end.size()); });
  copy.finish();
}

}  // namespace gilscope
