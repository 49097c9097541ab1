// The trace format: the C++ side of FORMAT.md. Every constant and offset here stands there too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gilscope::format {

inline constexpr char kMagic[8] = {'G', 'I', 'L', 'S', 'C', 'O', 'P', 'E'};
inline constexpr std::uint16_t kVersionMajor = 1;
inline constexpr std::uint16_t kVersionMinor = 0;
inline constexpr std::uint32_t kChunkMagic = 0x4B435347;  // "GSCK"

enum HeaderFlag : std::uint32_t { kFreeThreaded = 1, kGilEnabled = 2 };
enum class ClockKind : std::uint32_t { tsc = 1, cntvct = 2, monotonic = 3 };

enum class ChunkKind : std::uint16_t {
  metadata = 1,
  definitions = 2,
  events = 3,
  threads = 4,
  end = 5
};
enum ChunkState : std::uint32_t { kOpen = 0, kSealed = 1 };

enum class EventKind : std::uint8_t {
  none = 0,
  gil_hold = 1,
  gil_wait = 2,
  gil_switch_wait = 3,
  lock_wait = 4,
  lock_wake = 5
};

namespace hold_flag {
inline constexpr std::uint8_t kForced = 1;
inline constexpr std::uint8_t kStartedBefore = 2;
}  // namespace hold_flag
namespace gil_wait_flag {
inline constexpr std::uint8_t kAfterForced = 1;
inline constexpr std::uint8_t kNotAcquired = 4;
}  // namespace gil_wait_flag
namespace lock_wait_flag {
inline constexpr std::uint8_t kTimedOut = 1;
inline constexpr std::uint8_t kInterrupted = 2;
inline constexpr std::uint8_t kHandedOff = 4;
}  // namespace lock_wait_flag

enum ThreadFlag : std::uint32_t {
  kMainThread = 1,
  kPythonThread = 2,
  kNativeThread = 4,
  kStartedBefore = 8
};

enum class DefinitionTag : std::uint16_t {
  clock = 1,
  thread_name = 2,
  gil = 3,
  lock = 4,
  not_measured = 5,
  probe_cost = 6
};

enum class LockKind : std::uint16_t {
  unidentified = 0,
  mutex = 1,
  object = 2,
  thread_lock = 3,
  lock = 4,
  rlock = 5,
  simple_queue = 6,
  event = 7,
  stop_the_world = 8,
  stop_the_world_request = 9,
  raw_mutex = 10
};

struct FileHeader {
  char magic[8];
  std::uint16_t version_major;
  std::uint16_t version_minor;
  std::uint32_t header_size;
  std::uint32_t alignment;
  std::uint32_t event_size;
  std::uint32_t slot_size;
  std::uint32_t flags;
  std::uint32_t clock;
  std::uint32_t machine;
  std::uint32_t pid;
  std::uint32_t python;
  std::uint64_t start_ticks;
  std::uint64_t start_monotonic;
  std::uint64_t start_realtime;
  std::uint64_t ticks_per_second;
  std::uint8_t session[16];
  std::uint8_t reserved[24];
  std::uint64_t checksum;
};
static_assert(sizeof(FileHeader) == 128 && offsetof(FileHeader, start_ticks) == 48 &&
              offsetof(FileHeader, session) == 80 && offsetof(FileHeader, checksum) == 120);

struct ChunkHeader {
  std::uint32_t magic;
  std::uint16_t kind;
  std::uint16_t reserved;
  std::uint32_t size;
  std::uint32_t thread;
  std::uint64_t sequence;
  std::uint64_t open_ticks;
  std::uint64_t header_checksum;
  std::uint32_t state;
  std::uint32_t used;
  std::uint64_t checksum;
  std::uint64_t reserved_tail;
};
static_assert(sizeof(ChunkHeader) == 64 && offsetof(ChunkHeader, header_checksum) == 32 &&
              offsetof(ChunkHeader, state) == 40);

struct EventRecord {
  std::uint8_t kind;
  std::uint8_t flags;
  std::uint16_t aux;
  std::uint32_t what;
  std::uint64_t start;
  std::uint64_t duration;
  std::uint32_t peer;
  std::uint32_t stack;
};
static_assert(sizeof(EventRecord) == 32 && offsetof(EventRecord, start) == 8 &&
              offsetof(EventRecord, peer) == 24);

struct alignas(64) ThreadSlot {
  std::uint32_t thread;
  std::uint32_t tid;
  std::uint64_t ident;
  std::uint64_t start_ticks;
  std::uint64_t end_ticks;
  std::uint64_t dropped;
  std::uint32_t flags;
  std::uint32_t open_gil;
  std::uint64_t open_hold;
  std::uint64_t open_wait;
  std::uint32_t open_wait_kind;
  std::uint32_t open_wait_what;
  std::uint32_t open_wait_peer;
  std::uint32_t open_hold_flags;
  char os_name[16];
  std::uint8_t reserved[32];
};
static_assert(sizeof(ThreadSlot) == 128 && offsetof(ThreadSlot, open_hold) == 48 &&
              offsetof(ThreadSlot, os_name) == 80);

struct DefinitionHeader {
  std::uint16_t tag;
  std::uint16_t reserved;
  std::uint32_t length;
};
static_assert(sizeof(DefinitionHeader) == 8);

// Position-weighted sum of little-endian 64-bit words; `size` is a multiple of 8 for all that we
// write.
inline std::uint64_t checksum(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < size / 8; ++i) {
    // Copied, not looked at through a pointer of another type: the compiler may otherwise sum up
    // before the members of a header have been stored. It makes one load of it.
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + 8 * i, sizeof word);
    sum += word * (2 * (i + 1) + 1);
  }
  return sum;
}

}  // namespace gilscope::format
