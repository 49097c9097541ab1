// The probe's data of each thread, and how a hook reaches it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/callback_log.hpp"
#include "core/clock.hpp"
#include "core/format.hpp"
#include "core/held_table.hpp"
#include "core/stack_mark.hpp"
#include "core/trail.hpp"
#include "core/wait_table.hpp"

namespace gilscope {

class Session;

// One a live thread, taken from a pool and given back at the thread's exit. Only its own thread
// writes to it; a stop looks at `busy` and, when that is 0, seals its chunk.
struct alignas(64) ThreadLog {
  // The StackMark of the hook that the thread is inside of, in which it may touch the session's
  // memory; 0: none. Written with plain stores: the stopping thread makes them visible with
  // membarrier().
  std::atomic<std::uintptr_t> busy{0};
  std::uint32_t index = 0;       // of the thread in the session below
  bool after_forced = false;     // the GIL's release before was forced
  std::uint64_t session_id = 0;  // session to which slot and chunk belong; 0 none
  format::ThreadSlot* slot = nullptr;
  format::EventRecord* cursor = nullptr;
  format::EventRecord* end = nullptr;
  // The GIL, between hooks of one thread.
  std::uint64_t holding_in = 0;  // session in which it was seen to take a GIL that it holds; 0 none
  std::uint64_t request = 0;     // ticks of the request that is under way; 0 none
  // Up to here is what an uncontended acquire and release needs: one line of the cache.
  Session* session = nullptr;  // that of the number above
  format::ChunkHeader* chunk = nullptr;
  std::uint32_t holder = 0;            // thread that held it at the request
  std::uint16_t timeouts = 0;          // switch intervals that the wait has hit
  std::uint32_t wait_stack = 0;        // STACK of the request that is under way
  bool holds_wanted_lock = false;      // at the request, see format.hpp
  bool counted = false;                // among the GIL's waiters
  bool named = false;                  // by Python, in this session
  std::uint32_t importing_module = 0;  // MODULE that the interpreter loaded last in this thread

  // The wait that is open: its StackMark (0: none), and what it has claimed.
  std::uintptr_t open_wait = 0;
  WaitTable::Entry* open_entry = nullptr;
  HeldTable::Entry* open_held = nullptr;

  // See cpython/own_state.hpp. Others take the first one away, and write the second one then.
  std::atomic<const void*> own_state{nullptr};   // thread state that is this thread's, and lives
  std::atomic<const void*> lost_state{nullptr};  // the one that others took
  std::atomic<const void*> reading{nullptr};     // the one that it reads now
  std::atomic<std::uintptr_t> reader{0};         // StackMark of who reads
  const void* left_state = nullptr;              // the one that it gave up for good, perhaps
  std::uint64_t own_session = 0;                 // session that all of these are of

  // The spin that may go on.
  struct Spin {
    format::EventRecord* record = nullptr;  // in the thread's chunk, if it is the latest one there
    const void* caller = nullptr;
    std::uintptr_t address = 0;
    std::uintptr_t count = 0;
    std::uint64_t end = 0;
    std::uint64_t session = 0;
    std::uintptr_t expected = 0;  // self-test: the lock that the thread is about to run into
  };
  Spin spin;
  bool learns_join = false;  // self-test: its next wait is for a thread's end

  CallbackLog callbacks{};
  static constexpr std::uint32_t kTrails = 4;
  Trail trails[kTrails] = {};  // of the last callbacks
  // A record that may still be taken back: written at the thread's exit or the session's end.
  format::EventRecord pending{};

  std::uint32_t next_chunk = 0;  // bytes
  std::uint32_t tid = 0;
  std::uint32_t origin = 0;       // format::ThreadFlag, as far as the thread's start told
  std::uint64_t attached_in = 0;  // session that was active when the thread was first seen
  std::uint32_t exit_rounds = 0;
  bool joined = false;                      // some session, since the thread was first seen
  std::uint32_t place = 0;                  // index in the pool
  std::atomic<std::uint32_t> next_free{0};  // index + 1 in the pool
};

// Pool and registry of all ThreadLogs of the process, in blocks that are made when they are needed.
// Never shrinks, never freed: a thread can be inside a hook at any time.
class ThreadLogs {
 public:
  static constexpr std::uint32_t kCapacity = 1 << 16;

  // Once a process, before the first hook. False when memory or a thread-specific key is missing.
  static bool initialize();

  // This thread's log, made on the first call; nullptr when the pool is empty.
  static ThreadLog* current() {
    ThreadLog* log = current_;
    return __builtin_expect(log != nullptr, 1) ? log : attach();
  }

  // The same where there is one already.
  static ThreadLog* seen() { return current_; }

  // The result of current() in a thread whose log was returned, and in others like it.
  static const ThreadLog* exited() { return &exited_; }

  // Whether current() needs no memory from the allocator, of which the caller may be a part.
  static bool needs_no_memory() { return current_ != nullptr || key_is_small_; }

  // Remembers how the calling thread was started.
  static void set_origin(format::ThreadFlag origin);

  // Calls `visit(log)` for all logs that were ever in use.
  template <typename Visit>
  static void for_each(Visit visit) {
    const std::uint32_t n = high_water_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < n; ++i) visit(*at(i));
  }

  // How often thread states began, and were done, to be taken away: cpython/own_state.hpp.
  static std::atomic<std::uint64_t> ends_begun_;
  static std::atomic<std::uint64_t> ends_done_;

  // In a forked child: only the calling thread is left.
  static void after_fork();

 private:
  static ThreadLog* attach();
  static void thread_exit(void* log);
  static ThreadLog* take();
  static void give_back(ThreadLog* log);
  static ThreadLog* block(std::uint32_t number);
  static ThreadLog* at(std::uint32_t place) {
    return blocks_[place / kBlock].load(std::memory_order_acquire) + place % kBlock;
  }

  static constexpr std::uint32_t kBlock = 256;

  // One pointer, initial-exec: no call and no allocation to get at it, in signal handlers too.
  // (__thread: unlike thread_local, it promises that there is no constructor to look for.)
  static __thread ThreadLog* current_ __attribute__((tls_model("initial-exec")));
  static std::atomic<ThreadLog*> blocks_[kCapacity / kBlock];
  static ThreadLog exited_;
  static bool key_is_small_;
  static std::atomic<std::uint32_t> high_water_;
  static std::atomic<std::uint64_t> free_;  // top of the free list: index + 1, counter above it
};

}  // namespace gilscope
