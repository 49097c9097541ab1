// One recording: a trace file, its threads, its locks, and the thread that keeps pages ready.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/counters.hpp"
#include "core/cpu_time.hpp"
#include "core/held_table.hpp"
#include "core/id_table.hpp"
#include "core/lock_table.hpp"
#include "core/name_table.hpp"
#include "core/page_feeder.hpp"
#include "core/thread_log.hpp"
#include "core/trace_file.hpp"
#include "core/value_table.hpp"
#include "core/wait_table.hpp"

namespace gilscope {

struct SessionOptions {
  std::string path;
  std::uint64_t max_bytes;
  bool free_threaded;
  bool gil_enabled;
  std::uint32_t python;  // PY_VERSION_HEX
  std::string metadata;  // one JSON object
  bool ring = false;
  std::array<std::uint8_t, 16> session{};  // that of the files it belongs to; zeros: a new one
};

class Session {
 public:
  // Throws std::system_error when the file cannot be made.
  explicit Session(const SessionOptions& options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static Session* active() { return current_.session.load(std::memory_order_acquire); }

  // Number of the active session; 0 without one. Callable without a session.
  static std::uint64_t active_id() { return current_.id.load(std::memory_order_seq_cst); }

  // Whether a hook must order its announcement and what it then looks at for the processor itself:
  // where the system refuses membarrier(), which does it for all threads at a stop.
  static bool needs_fences() { return current_.needs_fences.load(std::memory_order_relaxed); }

  // Makes this session the one that hooks record to.
  void activate();
  // Takes it away again: what follows is no part of the trace, except for what threads write that
  // are inside a hook.
  void end_recording();
  // The same, and waits until no thread is inside a hook. False when that could not be made sure:
  // the mapping must then stay.
  bool deactivate();
  // Seals everything and writes END; the session is over. `end` is the JSON object without the
  // members that the session knows itself.
  void finish(std::string_view reason, bool gil_enabled);
  // The same where deactivate() could not make sure that nobody writes any more: END tells of what
  // is there, and the mapping stays, for ever.
  void abandon(std::string_view reason, bool gil_enabled);

  // Before the process gets another thread: whoever starts one says so.
  void gets_threads() { feeder_.start(); }
  // Around a fork: ends the session's own thread if the program has only one; true if so, and
  // gets_threads() starts it again.
  bool pause_feeder() { return feeder_.pause(); }

  std::uint64_t id() const { return id_; }
  // The process that records; a child that was made without any handler of fork() is another one.
  pid_t pid() const { return pid_; }
  TraceFile& file() { return file_; }
  const TraceFile& file() const { return file_; }
  LockTable& locks() { return locks_; }
  Counters& counters() { return counters_; }
  WaitTable& waits() { return waits_; }
  HeldTable& held() { return held_; }
  NameTable& names() { return names_; }
  // Facts about the locks at an address, see cpython/lock_identity.cpp.
  struct LockPlaces {
    ValueTable waits{1 << 16};      // by lock and stack
    ValueTable objects{1 << 16};    // by lock
    ValueTable locals{1 << 16};     // by stack
    ValueTable creations{1 << 17};  // by address: the STACK that made the latest lock there
  };
  LockPlaces& lock_places() { return lock_places_; }

  // Numbers of what is defined once a session; whoever finds a new one writes its definition.
  struct Definitions {
    IdTable strings{1 << 17};
    IdTable codes;
    IdTable stacks{1 << 18};
    IdTable modules{1 << 12};
    IdTable sites;
    IdTable entries;
    IdTable callables;
  };
  Definitions& definitions() { return definitions_; }
  // The STRING definition of a text; 0 for an empty one.
  std::uint32_t string(std::string_view text);

  // Before activate(): gives a slot to a thread that exists already, so that it has a lane even if
  // nothing ever happens to it.
  bool declare(std::uint32_t tid, std::uint64_t ident, std::uint32_t flags, std::string_view name);
  // Names the living thread `tid`, or the thread with that index.
  void name(std::uint32_t tid, std::string_view name);
  void define_name(std::uint32_t thread, std::string_view name);

  // Gives the calling thread an index and a slot.
  bool join(ThreadLog* log);
  // The calling thread is about to exit.
  void leave(ThreadLog* log);
  // The next record of this thread, or nullptr (and a drop is counted).
  format::EventRecord* next_chunk(ThreadLog* log);
  // Writes the record that the thread has pending, if any.
  void write_pending(ThreadLog* log);

  // The thread that the kernel knows by this id, as far as it is known to live; else 0.
  std::uint32_t index_of(std::uint32_t tid) const;

  format::ThreadSlot* slot_at(std::uint32_t index) const;
  std::uint64_t dropped() const;
  std::uint64_t dropped_without_slot() const {
    return dropped_without_slot_.load(std::memory_order_relaxed);
  }
  // The contents of END if it were written now.
  std::string end_json(std::string_view reason, bool gil_enabled, std::uint64_t dropped) const;
  // In sealed chunks, those included that were overwritten.
  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }
  // Counted one by one, those in chunks that are not sealed included.
  std::uint64_t events_in_file() const;

  // Sums of all events so far, of ended threads, too. For one caller at a time.
  EventSums event_sums();

  // In a forked child: no recording, the parent's file is not touched.
  static void after_fork();

 private:
  format::ThreadSlot* new_slot(std::uint32_t* index);
  format::ChunkHeader* slots_chunk(std::uint32_t number);
  format::ThreadSlot* declared_slot(const ThreadLog& log, std::uint32_t* index) const;
  bool is_living(std::uint32_t index, std::uint32_t tid) const;
  void remember(std::uint32_t index, std::uint32_t tid);
  void seal_threads();
  void sample_cpu_times();
  void seal_events(ThreadLog& log);
  void sample_now_and_then();
  std::string_view reason_to_end(std::string_view asked) const;

  static constexpr std::size_t kSlotsChunk = std::size_t{16} * 1024;
  static constexpr std::uint32_t kSlotsPerChunk =
      (kSlotsChunk - sizeof(format::ChunkHeader)) / sizeof(format::ThreadSlot);
  static constexpr std::uint32_t kMaxSlotChunks = 4096;

  // As large as any page, and with pages of its own: a forked child finds it zeroed by the kernel,
  // even one that was made by _Fork() or clone() and runs no handlers. What it still has of hooks
  // then does nothing, and does not look for the trace, which is not mapped there.
#if defined(__x86_64__)
  static constexpr std::size_t kPage = 4096;
#else
  static constexpr std::size_t kPage = 65536;
#endif
  struct alignas(kPage) Current {
    std::atomic<Session*> session;
    std::atomic<std::uint64_t> id;
    // Whether hooks announce themselves with a fence, see needs_fences().
    std::atomic<bool> needs_fences;
  };
  static Current current_;
  static std::atomic<std::uint64_t> last_id_;

  const std::uint64_t id_;
  const pid_t pid_;
  TraceFile file_;
  CpuTimes cpu_times_;
  PageFeeder feeder_;
  LockTable locks_;
  Counters counters_;
  WaitTable waits_;
  HeldTable held_;
  NameTable names_;
  LockPlaces lock_places_;
  Definitions definitions_;
  std::atomic<std::uint32_t> threads_{0};
  std::uint32_t declared_ = 0;
  // The latest thread with each of these ids, modulo their number.
  static constexpr std::uint32_t kTids = 4096;
  std::atomic<std::uint32_t> by_tid_[kTids] = {};
  std::atomic<format::ChunkHeader*> slot_chunks_[kMaxSlotChunks] = {};
  std::atomic<std::uint64_t> dropped_without_slot_{0};
  std::atomic<std::uint64_t> events_{0};   // in sealed chunks
  std::atomic<std::uint64_t> sampled_{0};  // ticks
  std::uint64_t second_ = 0;               // ticks
  std::uint64_t stop_ticks_ = 0;           // when recording ended; 0: it goes on
  bool fenced_ = false;                    // every thread knows that it ended
};

// Preserves the program's errno.
class ErrnoKeeper {
 public:
  ErrnoKeeper() : value_(errno) {}
  ~ErrnoKeeper() { errno = value_; }
  ErrnoKeeper(const ErrnoKeeper&) = delete;
  ErrnoKeeper& operator=(const ErrnoKeeper&) = delete;

 private:
  int value_;
};

// A hook's access to the session, for the length of a scope. Usage:
//     Recording recording; if (recording) recording.emit(...);
class Recording {
 public:
  Recording() : log_(ThreadLogs::current()) {
    if (log_ == nullptr) return;
    const std::uintptr_t busy = log_->busy.load(std::memory_order_relaxed);
    // Busy already: a signal handler came in the middle of a hook of this thread, or left one for
    // good.
    if (__builtin_expect(busy != 0, 0) && !mark_.outlives(busy)) return;
    announce(*log_, mark_);
    const std::uint64_t id = Session::active_id();
    if (__builtin_expect(id != 0 && log_->session_id == id, 1)) {
      session_ = log_->session;
    } else {
      join();
    }
  }
  ~Recording() {
    if (session_ != nullptr) log_->busy.store(0, std::memory_order_release);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // A thread's first event of a session.
  __attribute__((noinline, cold)) void join() {
    Session* session = Session::active();
    // It may have joined already: a stop takes the session's number away before the session.
    if (session != nullptr && (log_->session_id == session->id() || session->join(log_))) {
      session_ = session;
    } else {
      log_->busy.store(0, std::memory_order_release);
    }
  }

  // Before the session is looked at.
  static void announce(ThreadLog& log, const StackMark& mark) {
    if (__builtin_expect(Session::needs_fences(), 0)) {
      log.busy.exchange(mark.address(), std::memory_order_seq_cst);
      return;
    }
    log.busy.store(mark.address(), std::memory_order_relaxed);
    // Orders the store above before the load that follows for the compiler; for the processor,
    // Session::deactivate() does with membarrier(), so that the hot path has no fence.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  explicit operator bool() const { return session_ != nullptr; }
  Session& session() { return *session_; }
  ThreadLog& log() { return *log_; }
  format::ThreadSlot& slot() { return *log_->slot; }

  // The record, or nullptr where there is no room for it.
  format::EventRecord* emit(format::EventKind kind, std::uint8_t flags, std::uint16_t aux,
                            std::uint32_t what, std::uint64_t start, std::uint64_t duration,
                            std::uint32_t peer, std::uint32_t stack = 0) {
    format::EventRecord* record = log_->cursor;
    if (__builtin_expect(record == log_->end, 0)) {
      record = session_->next_chunk(log_);
      if (record == nullptr) return nullptr;
    }
    return write(*log_, kind, flags, aux, what, start, duration, peer, stack);
  }

  // The same where there is room.
  static format::EventRecord* write(ThreadLog& log, format::EventKind kind, std::uint8_t flags,
                                    std::uint16_t aux, std::uint32_t what, std::uint64_t start,
                                    std::uint64_t duration, std::uint32_t peer,
                                    std::uint32_t stack) {
    format::EventRecord* record = log.cursor;
    record->flags = flags;
    record->aux = aux;
    record->what = what;
    record->start = start;
    record->duration = duration;
    record->peer = peer;
    record->stack = stack;
    // The kind last: a record is there wholly or not at all, however the process ends.
    __atomic_store_n(&record->kind, static_cast<std::uint8_t>(kind), __ATOMIC_RELEASE);
    log.cursor = record + 1;
    return record;
  }

  // Calls `body(log)`, which calls nothing that is not inline, where this thread has joined the
  // active session and is in no other hook; returns what it returns, else false.
  template <typename Body>
  static bool in_short(ThreadLog& log, Body body) {
    const StackMark mark;
    if (log.busy.load(std::memory_order_relaxed) != 0) return false;
    announce(log, mark);
    const std::uint64_t id = Session::active_id();
    const bool done = id != 0 && log.session_id == id && body(log);
    log.busy.store(0, std::memory_order_release);
    return done;
  }

 private:
  Session* session_ = nullptr;
  ThreadLog* log_;
  StackMark mark_;
};

}  // namespace gilscope
