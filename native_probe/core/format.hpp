// The trace format: the C++ side of FORMAT.md. Every constant and offset here stands there too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace gilscope::format {

inline constexpr char kMagic[8] = {'G', 'I', 'L', 'S', 'C', 'O', 'P', 'E'};
inline constexpr std::uint16_t kVersionMajor = 1;
inline constexpr std::uint16_t kVersionMinor = 5;
inline constexpr std::uint32_t kChunkMagic = 0x4B435347;  // "GSCK"

enum HeaderFlag : std::uint32_t { kFreeThreaded = 1, kGilEnabled = 2, kRing = 4 };
enum class ClockKind : std::uint32_t { tsc = 1, cntvct = 2, monotonic = 3 };

enum class ChunkKind : std::uint16_t {
  metadata = 1,
  definitions = 2,
  events = 3,
  threads = 4,
  end = 5,
  packed_events = 6  // written by `gilscope pack` only
};
enum ChunkState : std::uint32_t { kOpen = 0, kSealed = 1 };

enum class EventKind : std::uint8_t {
  none = 0,
  gil_hold = 1,
  gil_wait = 2,
  gil_switch_wait = 3,
  lock_wait = 4,
  lock_wake = 5,
  callback = 6,
  thread_state = 7,
  spin = 8,
  gil_switch = 9,
  span = 10,
  gil_sample = 11
};

namespace hold_flag {
inline constexpr std::uint8_t kForced = 1;
inline constexpr std::uint8_t kStartedBefore = 2;
inline constexpr std::uint8_t kWanted = 4;
inline constexpr std::uint8_t kKept = 8;
}  // namespace hold_flag
namespace gil_wait_flag {
inline constexpr std::uint8_t kAfterForced = 1;
inline constexpr std::uint8_t kNotAcquired = 4;
inline constexpr std::uint8_t kHoldsWantedLock = 8;
}  // namespace gil_wait_flag
namespace lock_wait_flag {
inline constexpr std::uint8_t kTimedOut = 1;
inline constexpr std::uint8_t kInterrupted = 2;
inline constexpr std::uint8_t kHandedOff = 4;
inline constexpr std::uint8_t kHolder = 8;
inline constexpr std::uint8_t kShared = 16;
}  // namespace lock_wait_flag
namespace callback_flag {
inline constexpr std::uint8_t kStateCreated = 1;
inline constexpr std::uint8_t kStateDeleted = 2;
}  // namespace callback_flag
namespace thread_state_flag {
inline constexpr std::uint8_t kCreated = 1;
inline constexpr std::uint8_t kDeleted = 2;
}  // namespace thread_state_flag
namespace gil_switch_flag {
inline constexpr std::uint8_t kOn = 1;
inline constexpr std::uint8_t kOff = 2;
inline constexpr std::uint8_t kPermanent = 4;
}  // namespace gil_switch_flag

namespace span_flag {
inline constexpr std::uint8_t kBytes = 1;
}  // namespace span_flag
namespace sample_flag {
inline constexpr std::uint8_t kAsleep = 1;
inline constexpr std::uint8_t kLoop = 2;
inline constexpr std::uint8_t kAsked = 4;
}  // namespace sample_flag
// What the record of a span has room for.
inline constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 48) - 1;

// n rounded down to 11 significant bits, in 16.
inline std::uint16_t short_float(std::uint64_t n) {
  const int bits = n == 0 ? 0 : 64 - __builtin_clzll(n);
  const int shift = bits > 11 ? bits - 11 : 0;
  if (shift > 31) return 0xFFFF;
  return static_cast<std::uint16_t>((shift << 11) | static_cast<int>(n >> shift));
}

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
  probe_cost = 6,
  string = 7,
  code = 8,
  stack = 9,
  module = 10,
  site = 11,
  lock_name = 12,
  entry = 13,
  callable = 14,
  cpu_time = 15,
  lock_created = 16,
  lock_waited = 20,
  hazard = 21
};

// In a frame of a STACK: a SITE, not a CODE.
inline constexpr std::uint32_t kSiteFrame = 0x80000000u;

enum class Binding : std::uint16_t {
  unknown = 0,
  c_api = 1,
  pybind11 = 2,
  nanobind = 3,
  boost_python = 4,
  cython = 5,
  pyo3 = 6,
  ctypes = 7,
  cffi = 8
};

enum class NameSource : std::uint16_t {
  module_global = 1,
  local_variable = 2,
  attribute = 3,
  allocation = 4,
  symbol = 6,
  interpreter = 7
};

// Of a HAZARD.
enum class HazardKind : std::uint32_t {
  ending_interpreter = 1,
  not_attached = 2,
  other_interpreter = 3
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
  raw_mutex = 10,
  import_lock = 11,
  rwlock = 12,
  once = 13,
  thread_end = 14,
  native_mutex = 32,
  native_rwlock = 33,
  native_condition = 34
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
  std::uint64_t open_callback;
  std::uint32_t open_callback_what;
  std::uint32_t open_callback_callable;
  std::uint32_t open_wait_stack;
  std::uint32_t open_wait_flags;
  std::uint64_t reserved;
};
static_assert(sizeof(ThreadSlot) == 128 && offsetof(ThreadSlot, open_hold) == 48 &&
              offsetof(ThreadSlot, os_name) == 80 && offsetof(ThreadSlot, open_callback) == 96 &&
              offsetof(ThreadSlot, open_wait_flags) == 116);

struct DefinitionHeader {
  std::uint16_t tag;
  std::uint16_t reserved;
  std::uint32_t length;
};
static_assert(sizeof(DefinitionHeader) == 8);

// Bodies of definitions, up to the texts that follow them, in the order of their tags.
struct ClockBody {
  static constexpr DefinitionTag kTag = DefinitionTag::clock;
  std::uint64_t ticks;
  std::uint64_t monotonic;
  std::uint64_t realtime;
};
struct ThreadNameBody {  // followed by the name
  static constexpr DefinitionTag kTag = DefinitionTag::thread_name;
  std::uint32_t thread;
  std::uint32_t length;
};
struct GilBody {
  static constexpr DefinitionTag kTag = DefinitionTag::gil;
  std::uint32_t id;
  std::uint32_t reserved;
  std::uint64_t address;
  std::int64_t interpreter;
};
struct LockBody {  // followed by the name of the object's type
  static constexpr DefinitionTag kTag = DefinitionTag::lock;
  std::uint32_t id;
  std::uint16_t kind;
  std::uint16_t reserved;
  std::uint64_t address;
  std::uint64_t object;
  std::uint32_t length;
  std::uint32_t reserved2;
};
struct NotMeasuredBody {  // followed by the class of event and the reason
  static constexpr DefinitionTag kTag = DefinitionTag::not_measured;
  std::uint32_t class_length;
  std::uint32_t reason_length;
};
struct ProbeCostBody {
  static constexpr DefinitionTag kTag = DefinitionTag::probe_cost;
  std::uint64_t pair;   // femtoseconds
  std::uint64_t stack;  // femtoseconds
};
struct StringBody {  // followed by the text
  static constexpr DefinitionTag kTag = DefinitionTag::string;
  std::uint32_t id;
  std::uint32_t length;
};
struct CodeBody {
  static constexpr DefinitionTag kTag = DefinitionTag::code;
  std::uint32_t id;
  std::uint32_t first_line;
  std::uint32_t file;
  std::uint32_t name;
  std::uint32_t module;
  std::uint32_t reserved;
};
struct Frame {
  std::uint32_t what;
  std::uint32_t line;
};
struct StackBody {  // followed by `count` frames
  static constexpr DefinitionTag kTag = DefinitionTag::stack;
  std::uint32_t id;
  std::uint32_t count;
};
struct ModuleBody {  // followed by the build id
  static constexpr DefinitionTag kTag = DefinitionTag::module;
  std::uint32_t id;
  std::uint32_t path;
  std::uint64_t base;
  std::uint32_t length;
  std::uint32_t reserved;
};
struct SiteBody {
  static constexpr DefinitionTag kTag = DefinitionTag::site;
  std::uint32_t id;
  std::uint32_t module;
  std::uint64_t offset;
  std::uint32_t function;
  std::uint32_t file;
  std::uint32_t line;
  std::uint32_t reserved;
};
struct LockNameBody {
  static constexpr DefinitionTag kTag = DefinitionTag::lock_name;
  std::uint32_t lock;
  std::uint32_t name;
  std::uint16_t source;
  std::uint16_t reserved;
  std::uint32_t reserved2;
};
struct EntryBody {
  static constexpr DefinitionTag kTag = DefinitionTag::entry;
  std::uint32_t id;
  std::uint32_t site;
  std::uint16_t binding;
  std::uint16_t reserved;
  std::uint32_t stack;
};
struct CallableBody {
  static constexpr DefinitionTag kTag = DefinitionTag::callable;
  std::uint32_t id;
  std::uint32_t code;
  std::uint32_t name;
  std::uint32_t module;
};
struct CpuTimeBody {  // one or more of them
  static constexpr DefinitionTag kTag = DefinitionTag::cpu_time;
  std::uint32_t thread;
  std::uint32_t reserved;
  std::uint64_t ticks;
  std::uint64_t on_cpu;
  std::uint64_t runnable;
};
struct LockCreatedBody {
  static constexpr DefinitionTag kTag = DefinitionTag::lock_created;
  std::uint32_t lock;
  std::uint32_t stack;
};
struct LockWaitedBody {
  static constexpr DefinitionTag kTag = DefinitionTag::lock_waited;
  std::uint32_t lock;
  std::uint32_t stack;
};
struct HazardBody {
  static constexpr DefinitionTag kTag = DefinitionTag::hazard;
  std::uint32_t kind;
  std::uint32_t tid;
  std::uint32_t stack;
  std::uint32_t name;
  std::uint64_t count;
};
static_assert(sizeof(ClockBody) == 24 && sizeof(GilBody) == 24 && sizeof(LockBody) == 32 &&
              sizeof(CodeBody) == 24 && sizeof(ModuleBody) == 24 && sizeof(SiteBody) == 32 &&
              sizeof(LockNameBody) == 16 && sizeof(EntryBody) == 16 && sizeof(CallableBody) == 16 &&
              sizeof(CpuTimeBody) == 32 && sizeof(HazardBody) == 24);

// A STACK with room for N frames, which are not set before they are added.
template <std::size_t N>
struct Stack {
  StackBody head{0, 0};
  std::array<Frame, N> frames;

  void add(std::uint32_t what, std::uint32_t line) { frames[head.count++] = {what, line}; }
  void add_site(std::uint32_t site) { add(site | kSiteFrame, 0); }
  bool full() const { return head.count == N; }
  std::size_t size() const { return sizeof head + head.count * sizeof(Frame); }
};
static_assert(offsetof(Stack<1>, frames) == sizeof(StackBody));

// Length of a definition whose body and texts have so many bytes.
constexpr std::size_t definition_length(std::size_t size) {
  return (sizeof(DefinitionHeader) + size + 7) / 8 * 8;
}

// A definition as it stands in a file. Somebody may have written to that: no length is believed.
struct Definition {
  DefinitionTag tag;
  const char* body;
  std::size_t size;  // of the body, with what fills it up to a multiple of 8

  template <typename Body>
  std::optional<Body> as() const {
    if (tag != Body::kTag) return std::nullopt;
    return at<Body>(0);
  }
  // What follows the body, if it is there.
  template <typename Part>
  std::optional<Part> at(std::size_t offset) const {
    if (offset > size || size - offset < sizeof(Part)) return std::nullopt;
    Part part{};
    std::memcpy(&part, body + offset, sizeof part);
    return part;
  }
  std::string_view text(std::size_t offset, std::size_t length) const {
    if (offset > size || size - offset < length) return {};
    return {body + offset, length};
  }
};

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
