#include "core/session.hpp"

#include <elf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/bus_error.hpp"
#include "core/shown_wait.hpp"

namespace gilscope {
namespace {

using format::ChunkHeader;
using format::ChunkKind;

// The room for a short run: it is written to the disk, also by a child that ends at once.
constexpr std::size_t kReadyAtStart = std::size_t{96} << 10;
constexpr std::uint32_t kLargestChunk = 256 * 1024;

int membarrier(int command) { return static_cast<int>(syscall(SYS_membarrier, command, 0, 0)); }

// The barrier of all threads of this process; whether the system knows it and lets us use it.
bool can_order_all_threads() {
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) return true;
  const int commands = membarrier(MEMBARRIER_CMD_QUERY);
  return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL) != 0;
}

bool order_all_threads() {
  return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0 ||
         membarrier(MEMBARRIER_CMD_GLOBAL) == 0;
}

// The name of another thread of this process, which may be gone by now.
void read_os_name(format::ThreadSlot* slot) {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/self/task/%u/comm", slot->tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char name[sizeof slot->os_name] = {};
  const ssize_t n = read(fd, name, sizeof name);
  close(fd);
  if (n <= 0) return;
  if (name[n - 1] == '\n') name[n - 1] = 0;
  std::memcpy(slot->os_name, name, sizeof name);
}

format::FileHeader make_header(const SessionOptions& options) {
  format::FileHeader header{};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.version_major = format::kVersionMajor;
  header.version_minor = format::kVersionMinor;
  header.alignment = static_cast<std::uint32_t>(TraceFile::alignment());
  header.header_size = header.alignment;
  header.event_size = sizeof(format::EventRecord);
  header.slot_size = sizeof(format::ThreadSlot);
  header.flags = (options.free_threaded ? format::kFreeThreaded : 0u) |
                 (options.gil_enabled ? format::kGilEnabled : 0u) |
                 (options.ring ? format::kRing : 0u);
  header.clock = static_cast<std::uint32_t>(Clock::kind());
#if defined(__aarch64__)
  header.machine = EM_AARCH64;
#else
  header.machine = EM_X86_64;
#endif
  header.pid = static_cast<std::uint32_t>(getpid());
  header.python = options.python;
  header.ticks_per_second = Clock::ticks_per_second();
  const Clock::Sample now = Clock::sample();
  header.start_ticks = now.ticks;
  header.start_monotonic = now.monotonic;
  header.start_realtime = now.realtime;
  std::memcpy(header.session, options.session.data(), sizeof header.session);
  if (options.session == decltype(options.session){} &&
      getrandom(header.session, sizeof header.session, GRND_NONBLOCK) < 0) {
    errno = 0;
  }
  header.checksum = format::checksum(&header, offsetof(format::FileHeader, checksum));
  return header;
}

}  // namespace

Session::Current Session::current_{};
std::atomic<std::uint64_t> Session::last_id_{0};

Session::Session(const SessionOptions& options)
    : id_(last_id_.fetch_add(1) + 1),
      pid_(getpid()),
      file_(options.path, options.max_bytes, options.ring),
      cpu_times_(file_),
      feeder_(file_, [this] { sample_cpu_times(); }) {
  for (const TraceFile::Part part : {TraceFile::Part::front, TraceFile::Part::events}) {
    if (file_.extend(kReadyAtStart, part) || !file_.cannot_grow()) continue;
    if (!options.path.empty()) unlink(options.path.c_str());
    throw std::system_error(file_.error(), std::generic_category());
  }
  // Only now: getting the pages ready takes milliseconds, and the header says when recording
  // begins.
  const format::FileHeader header = make_header(options);
  file_.write_header(header);
  second_ = header.ticks_per_second;
  sampled_ = header.start_ticks;
  file_.write_json(ChunkKind::metadata, options.metadata);
  sample_clock(file_);
}

void Session::activate() {
  sample_cpu_times();
  // Else the thread that starts the second thread does it, before that one runs.
  if (!single_threaded()) feeder_.start();
  current_.needs_fences.store(!can_order_all_threads(), std::memory_order_seq_cst);
  // Kernels before 4.14 cannot; there only the handlers of fork() help.
  madvise(&current_, sizeof current_, MADV_WIPEONFORK);
  // The number last: a thread that sees it sees the session.
  current_.session.store(this, std::memory_order_release);
  current_.id.store(id_, std::memory_order_release);
}

void Session::end_recording() {
  if (stop_ticks_ != 0) return;
  current_.id.store(0, std::memory_order_seq_cst);
  current_.session.store(nullptr, std::memory_order_seq_cst);
  // After this every thread either sees that no session is active, or we see its `busy`.
  fenced_ = needs_fences() || order_all_threads();
  feeder_.stop();  // for good: a hook that is about to start it does not
  sample_cpu_times();
  stop_ticks_ = Clock::ticks();
}

bool Session::deactivate() {
  end_recording();
  if (!fenced_) return false;
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + 2'000'000'000;
  bool quiet = true;
  ThreadLogs::for_each([&](ThreadLog& log) {
    for (std::uintptr_t busy = log.busy.load(std::memory_order_seq_cst); quiet && busy != 0;
         busy = log.busy.load(std::memory_order_seq_cst)) {
      // It left the hook by siglongjmp(), unless it has just left it in order.
      if (StackMark::is_gone(busy) && log.busy.load(std::memory_order_seq_cst) == busy) break;
      sched_yield();
      // A thread that was suspended inside a hook (a debugger): leave it the mapping.
      if (nanoseconds(CLOCK_MONOTONIC) > deadline) quiet = false;
    }
  });
  return quiet;
}

void Session::finish(std::string_view reason, bool gil_enabled) {
  seal_threads();
  sample_clock(file_);
  reason = reason_to_end(reason);
  const std::string json = end_json(reason, gil_enabled, dropped());
  file_.extend(2 * TraceFile::alignment());
  file_.write_json(ChunkKind::end, json);
  file_.finish();
}

void Session::abandon(std::string_view reason, bool gil_enabled) {
  sample_clock(file_);
  file_.write_json(ChunkKind::end, end_json(reason_to_end(reason), gil_enabled, dropped()));
  file_.abandon();
}

std::uint64_t Session::events_in_file() const {
  std::uint64_t found = 0;
  file_.for_each_events_chunk([&found](const ChunkHeader& chunk, std::size_t size) {
    const auto* record = reinterpret_cast<const format::EventRecord*>(&chunk + 1);
    const auto* end = record + (size - sizeof chunk) / sizeof *record;
    // Acquire: a record whose kind is there is there wholly.
    while (record < end && __atomic_load_n(&record->kind, __ATOMIC_ACQUIRE) != 0) ++record, ++found;
  });
  return found;
}

EventSums Session::event_sums() {
  return counters_.read([this](auto visit) {
    file_.for_each_events_chunk([&visit](const ChunkHeader& chunk, std::size_t size) {
      if (__atomic_load_n(&chunk.state, __ATOMIC_ACQUIRE) == format::kSealed) return;
      const auto* record = reinterpret_cast<const format::EventRecord*>(&chunk + 1);
      const auto* end = record + (size - sizeof chunk) / sizeof *record;
      for (; record < end; ++record) {
        // Acquire: a record whose kind is there is there wholly.
        const std::uint8_t kind = __atomic_load_n(&record->kind, __ATOMIC_ACQUIRE);
        if (kind == 0) break;
        visit(*record, kind);
      }
    });
  });
}

std::string Session::end_json(std::string_view reason, bool gil_enabled,
                              std::uint64_t dropped) const {
  auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  char overwritten[64] = "";
  if (file_.is_ring()) {
    std::snprintf(overwritten, sizeof overwritten, "\"overwritten_events\": %llu, ",
                  number(file_.overwritten()));
  }
  char json[320];
  std::snprintf(json, sizeof json,
                "{\"stop_ticks\": %llu, \"gil_enabled\": %s, \"dropped_events\": %llu, "
                "%s\"reason\": \"%.*s\"}",
                number(stop_ticks_ != 0 ? stop_ticks_ : Clock::ticks()),
                gil_enabled ? "true" : "false", number(dropped), overwritten,
                static_cast<int>(reason.size()), reason.data());
  return json;
}

// A file that is full to the last page and lacks nothing was stopped in order.
std::string_view Session::reason_to_end(std::string_view asked) const {
  if (!file_.refused()) return asked;
  if (file_.cannot_grow()) return file_.error() == ENOMEM ? "no_memory" : "disk_full";
  return file_.at_limit() ? "max_bytes" : asked;
}

format::ThreadSlot* Session::new_slot(std::uint32_t* index) {
  std::uint32_t i = threads_.load(std::memory_order_relaxed);
  ChunkHeader* chunk = nullptr;
  do {
    // First the room, then the number: a thread that finds no room asks again at every event.
    const std::uint32_t chunk_number = i / kSlotsPerChunk;
    chunk = chunk_number < kMaxSlotChunks ? slots_chunk(chunk_number) : nullptr;
    if (chunk == nullptr) return nullptr;
  } while (!threads_.compare_exchange_weak(i, i + 1, std::memory_order_relaxed));
  *index = i + 1;
  return reinterpret_cast<format::ThreadSlot*>(chunk + 1) + i % kSlotsPerChunk;
}

ChunkHeader* Session::slots_chunk(std::uint32_t number) {
  std::atomic<ChunkHeader*>& place = slot_chunks_[number];
  ChunkHeader* chunk = place.load(std::memory_order_acquire);
  if (chunk != nullptr) return chunk;
  ChunkHeader* fresh = file_.allocate(ChunkKind::threads, 0, kSlotsChunk);
  if (fresh == nullptr) return nullptr;
  // Two threads may both bring one; the second one's stays empty in the file.
  return place.compare_exchange_strong(chunk, fresh, std::memory_order_acq_rel) ? fresh : chunk;
}

format::ThreadSlot* Session::slot_at(std::uint32_t index) const {
  const ChunkHeader* chunk = slot_chunks_[(index - 1) / kSlotsPerChunk].load();
  if (chunk == nullptr) return nullptr;
  auto* slots = reinterpret_cast<format::ThreadSlot*>(const_cast<ChunkHeader*>(chunk) + 1);
  return slots + (index - 1) % kSlotsPerChunk;
}

void Session::remember(std::uint32_t index, std::uint32_t tid) {
  by_tid_[tid % kTids].store(index, std::memory_order_release);
}

bool Session::is_living(std::uint32_t index, std::uint32_t tid) const {
  const format::ThreadSlot* slot = slot_at(index);
  return slot != nullptr && __atomic_load_n(&slot->thread, __ATOMIC_ACQUIRE) == index &&
         slot->tid == tid && __atomic_load_n(&slot->end_ticks, __ATOMIC_RELAXED) == 0;
}

std::uint32_t Session::index_of(std::uint32_t tid) const {
  constexpr std::uint32_t kLatest = 512;  // looked through where two living threads share a place
  if (tid == 0) return 0;
  const std::uint32_t likely = by_tid_[tid % kTids].load(std::memory_order_acquire);
  if (likely == 0) return 0;
  if (is_living(likely, tid)) return likely;
  const std::uint32_t n = threads_.load(std::memory_order_relaxed);
  for (std::uint32_t index = n; index > 0 && index + kLatest > n; --index) {
    if (is_living(index, tid)) return index;
  }
  return 0;
}

bool Session::declare(std::uint32_t tid, std::uint64_t ident, std::uint32_t flags,
                      std::string_view name) {
  std::uint32_t index = 0;
  format::ThreadSlot* slot = new_slot(&index);
  if (slot == nullptr) return false;
  slot->tid = tid;
  slot->ident = ident;
  slot->start_ticks = Clock::ticks();
  slot->flags = flags | format::kStartedBefore |
                (tid == static_cast<std::uint32_t>(getpid()) ? format::kMainThread : 0u);
  __atomic_store_n(&slot->thread, index, __ATOMIC_RELEASE);
  declared_ = index;
  remember(index, tid);
  define_name(index, name);
  return true;
}

void Session::define_name(std::uint32_t thread, std::string_view name) {
  if (name.empty()) return;
  file_.define(format::ThreadNameBody{thread, static_cast<std::uint32_t>(name.size())}, name);
}

void Session::name(std::uint32_t tid, std::string_view name) {
  const std::uint32_t n = threads_.load();
  for (std::uint32_t index = n; index > 0; --index) {
    const format::ThreadSlot* slot = slot_at(index);
    // Its thread may only just be filling it in, or be about to exit.
    if (slot == nullptr || __atomic_load_n(&slot->thread, __ATOMIC_ACQUIRE) != index ||
        slot->tid != tid || __atomic_load_n(&slot->end_ticks, __ATOMIC_RELAXED) != 0) {
      continue;
    }
    define_name(index, name);
    return;
  }
}

// A thread that was declared at the start has a slot already. One whose start we saw is another
// thread, even if the kernel gave it the same id.
format::ThreadSlot* Session::declared_slot(const ThreadLog& log, std::uint32_t* index) const {
  if (log.attached_in == id_ && log.origin != 0) return nullptr;
  for (std::uint32_t i = 1; i <= declared_; ++i) {
    format::ThreadSlot* slot = slot_at(i);
    if (slot == nullptr || slot->tid != log.tid || slot->end_ticks != 0) continue;
    *index = i;
    return slot;
  }
  return nullptr;
}

std::uint32_t Session::string(std::string_view text) {
  if (text.empty()) return 0;
  const IdTable::Found found = definitions_.strings.find(mix(text));
  if (found.is_new) {
    file_.define(format::StringBody{found.id, static_cast<std::uint32_t>(text.size())}, text);
  }
  return found.id;
}

bool Session::join(ThreadLog* log) {
  const ErrnoKeeper keep_errno;
  std::uint32_t index = 0;
  format::ThreadSlot* slot = declared_slot(*log, &index);
  const bool declared = slot != nullptr;
  if (!declared) slot = new_slot(&index);
  if (slot == nullptr) {
    dropped_without_slot_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (!declared) {
    slot->tid = log->tid;
    slot->ident = reinterpret_cast<std::uint64_t>(pthread_self());
    slot->start_ticks = Clock::ticks();
    const bool is_new = log->attached_in == id_ && log->origin != 0;
    slot->flags = log->origin | (is_new ? 0u : std::uint32_t{format::kStartedBefore});
    if (log->tid == static_cast<std::uint32_t>(getpid())) {
      slot->flags |= format::kMainThread | format::kPythonThread;
    }
  }
  pthread_getname_np(pthread_self(), slot->os_name, sizeof slot->os_name);
  log->index = index;
  log->session = this;
  log->slot = slot;
  log->cursor = log->end = nullptr;
  log->chunk = nullptr;
  log->next_chunk = static_cast<std::uint32_t>(TraceFile::alignment());
  log->holding_in = 0;
  log->request = 0;
  log->holder = 0;
  log->timeouts = 0;
  log->after_forced = false;
  log->wait_stack = 0;
  log->counted = false;
  log->named = declared;
  log->importing_module = 0;
  log->open_wait = 0;
  log->open_entry = nullptr;
  log->open_held = nullptr;
  log->holds_wanted_lock = false;
  log->spin = {};
  log->pending.kind = 0;
  log->joined = true;
  log->session_id = id_;
  __atomic_store_n(&slot->thread, index, __ATOMIC_RELEASE);
  remember(index, slot->tid);
  return true;
}

void Session::leave(ThreadLog* log) {
  // Native threads are named after they have been started.
  pthread_getname_np(pthread_self(), log->slot->os_name, sizeof log->slot->os_name);
  __atomic_store_n(&log->slot->end_ticks, Clock::ticks(), __ATOMIC_RELAXED);
  shown_wait::end(*log->slot);
  // To ask the system costs as much as a short thread itself.
  if (log->slot->end_ticks - log->slot->start_ticks > second_ / 1000) {
    CpuTimes::sample_last(file_, log->index);
  }
  write_pending(log);
  seal_events(*log);
  log->session_id = 0;
}

format::EventRecord* Session::next_chunk(ThreadLog* log) {
  const ErrnoKeeper keep_errno;
  std::size_t size = 0;
  const auto allocate = [&](std::size_t bytes) {
    return file_.allocate(ChunkKind::events, log->index, bytes, &size);
  };
  // Before the old one is sealed, after which a ring may use it again: the last records of a thread
  // that has to wait in here stay.
  ChunkHeader* chunk = allocate(log->next_chunk);
  feeder_.call();
  sample_now_and_then();
  seal_events(*log);
  // In a ring that old one may have been the only one; near the end of a file a small one may fit.
  if (chunk == nullptr) {
    chunk = allocate(file_.is_ring() ? log->next_chunk : TraceFile::alignment());
  }
  if (chunk == nullptr) {
    ++log->slot->dropped;
    return nullptr;
  }
  // Small at first, so that ten thousand short-lived threads do not cost ten thousand large chunks.
  log->next_chunk = std::min(log->next_chunk * 2, kLargestChunk);
  log->chunk = chunk;
  log->cursor = reinterpret_cast<format::EventRecord*>(chunk + 1);
  log->end = log->cursor + (size - sizeof(ChunkHeader)) / sizeof(format::EventRecord);
  return log->cursor;
}

// The work of the page feeder, if there is one.
void Session::sample_now_and_then() {
  if (feeder_.running()) return;
  const std::uint64_t now = Clock::ticks();
  std::uint64_t last = sampled_.load(std::memory_order_relaxed);
  if (now - last < second_ ||
      !sampled_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    return;
  }
  sample_clock(file_);
}

void Session::write_pending(ThreadLog* log) {
  if (log->pending.kind == 0) return;
  format::EventRecord* record = log->cursor != log->end ? log->cursor : next_chunk(log);
  if (record != nullptr) {
    const std::uint8_t kind = log->pending.kind;
    log->pending.kind = 0;
    *record = log->pending;
    __atomic_store_n(&record->kind, kind, __ATOMIC_RELEASE);
    log->cursor = record + 1;
  }
  log->pending.kind = 0;
}

void Session::seal_events(ThreadLog& log) {
  if (log.chunk == nullptr) return;
  const auto* first = reinterpret_cast<const format::EventRecord*>(log.chunk + 1);
  const auto count = static_cast<std::size_t>(log.cursor - first);
  counters_.seal(first, count,
                 [&] { file_.seal_events(log.chunk, count * sizeof(format::EventRecord)); });
  events_.fetch_add(count, std::memory_order_relaxed);
  log.chunk = nullptr;
  log.end = nullptr;
  __atomic_store_n(&log.cursor, nullptr, __ATOMIC_RELAXED);
}

void Session::sample_cpu_times() {
  const std::uint32_t n = std::min(threads_.load(), kSlotsPerChunk * kMaxSlotChunks);
  for (std::uint32_t index = 1; index <= n; ++index) {
    const format::ThreadSlot* slot = slot_at(index);
    // Its thread may only just be filling it in.
    if (slot == nullptr || __atomic_load_n(&slot->thread, __ATOMIC_ACQUIRE) != index ||
        __atomic_load_n(&slot->end_ticks, __ATOMIC_RELAXED) != 0) {
      continue;
    }
    cpu_times_.sample(index, static_cast<pid_t>(slot->tid));
  }
  cpu_times_.write();
}

void Session::seal_threads() {
  ThreadLogs::for_each([&](ThreadLog& log) {
    if (log.session_id != id_) return;
    read_os_name(log.slot);
    write_pending(&log);
    seal_events(log);
    // Atomic, as in seal_events(): hooks::spins looks at it without saying so.
    __atomic_store_n(&log.session_id, 0, __ATOMIC_RELAXED);
  });
  std::uint32_t left = std::min(threads_.load(), kSlotsPerChunk * kMaxSlotChunks);
  for (std::uint32_t i = 0; left > 0; ++i) {
    ChunkHeader* chunk = slot_chunks_[i].load();
    const std::uint32_t here = std::min(left, kSlotsPerChunk);
    if (chunk != nullptr) TraceFile::seal(chunk, here * sizeof(format::ThreadSlot));
    left -= here;
  }
}

std::uint64_t Session::dropped() const {
  std::uint64_t total = dropped_without_slot_.load(std::memory_order_relaxed);
  const std::uint32_t n = std::min(threads_.load(), kSlotsPerChunk * kMaxSlotChunks);
  for (std::uint32_t index = 1; index <= n; ++index) {
    const format::ThreadSlot* slot = slot_at(index);
    if (slot != nullptr) total += slot->dropped;
  }
  return total;
}

void Session::after_fork() {
  current_.id.store(0, std::memory_order_relaxed);
  current_.session.store(nullptr, std::memory_order_relaxed);
  bus_error::after_fork();
}

}  // namespace gilscope
