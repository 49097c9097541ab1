#include "cpython/parking.hpp"

#include <atomic>
#include <string_view>

#include "core/clock.hpp"
#include "cpython/layout.h"
#include "cpython/park_sites.hpp"
#include "cpython/waits.h"

namespace gilscope::parking {
namespace {

using format::LockKind;

// The frames between a hook and the function whose entry is on its stack: sem_wait's caller, the
// parking lot, the lock. Measured 0x100 to 0x300 bytes; everything beyond belongs to other code.
constexpr std::uintptr_t kNear = 4096;

// States of a PyMutex byte (Include/internal/pycore_lock.h): locked 1, a thread is parked 2.
constexpr std::uint8_t kLockedAndParked = 3;

CodeRange wakeups[3];
std::uintptr_t lock_type = 0;
std::uintptr_t rlock_type = 0;
std::uintptr_t module_lock_code = 0;
CodeRange event_wait;
CodeRange once;

bool is_near(std::uintptr_t address, const char* frame) {
  const auto here = reinterpret_cast<std::uintptr_t>(frame);
  return address > here && address < here + kNear;
}

// A mutex passes {time until it is fair, handed off}; that time is a millisecond after it began to
// wait. A queue passes the place for an item, which is empty or holds an address.
bool is_mutex_entry(std::uintptr_t argument) {
  constexpr std::int64_t kFair = 1'000'000;
  constexpr std::int64_t kRecent = 10'000'000'000;
  const auto* place = reinterpret_cast<const std::int64_t*>(argument);
  const std::int64_t fair = __atomic_load_n(place, __ATOMIC_RELAXED);
  const auto now = static_cast<std::int64_t>(nanoseconds(CLOCK_MONOTONIC));
  return fair - kFair <= now && fair - kFair > now - kRecent;
}

// The import system's locks of modules are made of other locks: what is waited for in its code is
// one of them.
bool is_module_lock() {
  return module_lock_code != 0 && gilscope_innermost_code() == module_lock_code;
}

// Who calls the parking lot in a thread that joins another one: return addresses, the innermost
// first.
constexpr std::size_t kJoinDepth = 2;
const void* join_callers[kJoinDepth];
std::atomic<std::size_t> join_depth{0};

void learn_callers_of_join(const Callers& callers, std::size_t first) {
  if (first + kJoinDepth > callers.count) return;
  for (std::size_t i = 0; i < kJoinDepth; ++i) join_callers[i] = callers.at[first + i];
  // The first caller is the function that waits for any event, unless that one is inlined.
  const bool is_general = event_wait.contains(join_callers[0]) || !event_wait.known();
  join_depth.store(is_general ? kJoinDepth : 1, std::memory_order_release);
}

LockKind kind_of_event(std::uintptr_t address, const Callers& callers, std::size_t first) {
  if (gilscope_is_rw_mutex(address) != 0) return LockKind::rwlock;
  ThreadLog* log = ThreadLogs::current();
  if (log != nullptr && log->learns_join) {
    log->learns_join = false;
    learn_callers_of_join(callers, first);
  }
  const std::size_t depth = join_depth.load(std::memory_order_acquire);
  if (depth == 0 || first + depth > callers.count) return LockKind::event;
  if (once.contains(callers.at[first])) return LockKind::once;
  for (std::size_t i = 0; i < depth; ++i) {
    if (callers.at[first + i] != join_callers[i]) return LockKind::event;
  }
  return LockKind::thread_end;
}

}  // namespace

LockIdentity mutex_at(std::uintptr_t address) {
  LockIdentity waited;
  waited.address = address;
  if (gilscope_is_import_lock(address) != 0) {
    waited.kind = LockKind::import_lock;
    return waited;
  }
  const std::uintptr_t object =
      gilscope_in_critical_section() != 0 ? gilscope_object_of_lock(address) : 0;
  if (object != 0) {
    // The thread that waits holds a reference to the object: its type can be read, here and now.
    waited.kind = LockKind::object;
    waited.object = object;
    waited.type = gilscope_type_of(object);
    return waited;
  }
  waited.kind = LockKind::mutex;
  // A lock object is an object header with the mutex right behind it. What stands before a mutex of
  // another kind may be anything.
  const std::uintptr_t types[2] = {lock_type, rlock_type};
  waited.object = gilscope_object_before(address, types);
  if (waited.object == 0) return waited;
  waited.type = gilscope_type_of(waited.object);
  waited.kind = waited.type == lock_type ? LockKind::lock : LockKind::rlock;
  if (is_module_lock()) waited.kind = LockKind::import_lock;
  return waited;
}

void learn_join() {
  ThreadLog* log = ThreadLogs::current();
  if (log != nullptr) log->learns_join = true;
}

bool knows_join() { return join_depth.load() != 0; }

JoinStack learnt_join_stack(const ElfImage& interpreter) {
  JoinStack stack;
  for (std::size_t i = 0; i < join_depth.load(std::memory_order_acquire); ++i) {
    if (!interpreter.contains(join_callers[i])) return {};
    stack.push_back(reinterpret_cast<std::uintptr_t>(join_callers[i]) - interpreter.base());
  }
  return stack;
}

bool adopt_join_stack(const ElfImage& interpreter, const JoinStack& stack) {
  join_depth.store(0);
  if (stack.size() > kJoinDepth) return false;
  for (std::size_t i = 0; i < stack.size(); ++i) {
    join_callers[i] = reinterpret_cast<const void*>(interpreter.base() + stack[i]);
    if (!interpreter.contains(join_callers[i])) return false;
  }
  join_depth.store(stack.size(), std::memory_order_release);
  return true;
}

void initialize(const ElfImage& interpreter, std::uintptr_t lock, std::uintptr_t rlock,
                std::uintptr_t module_lock) {
  find_sites(interpreter);
  // The last one is inlined into the other two by some compilers.
  wakeups[0] = interpreter.function("_PyParkingLot_Unpark");
  wakeups[1] = interpreter.function("_PyParkingLot_UnparkAll");
  wakeups[2] = interpreter.function("_PySemaphore_Wakeup");
  lock_type = lock;
  rlock_type = rlock;
  module_lock_code = module_lock;
  event_wait = interpreter.function("PyEvent_WaitTimed");
  once = interpreter.function("_PyOnceFlag_CallOnceSlow");
}

bool on_own_stack(const sem_t* semaphore, const char* frame) {
  return is_near(reinterpret_cast<std::uintptr_t>(semaphore), frame);
}

bool is_wakeup(const void* caller) {
  for (const CodeRange& function : wakeups) {
    if (function.contains(caller)) return true;
  }
  return false;
}

Waited classify(const sem_t* semaphore, const void* caller, const char* frame) {
  Waited waited;
  if (!on_own_stack(semaphore, frame)) {
    // A PyThread_type_lock is a semaphore on the heap.
    if (is_park(caller)) return waited;
    waited.kind = is_module_lock() ? LockKind::import_lock : LockKind::thread_lock;
    waited.address = reinterpret_cast<std::uintptr_t>(semaphore);
    return waited;
  }
  if (!is_park(caller)) return waited;
  const auto* entry = reinterpret_cast<const std::uintptr_t*>(semaphore);
  const Callers callers(frame);
  const Park park = in_parking_lot(semaphore, callers);
  if (park.answer == Park::Answer::no) {
    // The other function with a semaphore on its stack; its word is the next waiter, no address.
    // Where there are copies of the first one, another word may be a lock of one not learnt yet.
    if (entry[GILSCOPE_PARK_ADDRESS] == 0 || !has_copies()) waited.kind = LockKind::raw_mutex;
  }
  if (park.answer != Park::Answer::yes) return waited;
  const std::uintptr_t address = entry[GILSCOPE_PARK_ADDRESS];
  const std::uintptr_t argument = entry[GILSCOPE_PARK_ARGUMENT];
  waited.address = address;
  if (gilscope_is_own_thread_state(address) != 0) {
    waited.kind = LockKind::stop_the_world;
  } else if (gilscope_is_stop_event(address) != 0) {
    waited.kind = LockKind::stop_the_world_request;
  } else if (argument == 0) {
    waited.kind = kind_of_event(address, callers, park.callers);
  } else if (is_near(argument, frame)) {
    // A mutex and a queue both pass something on their stack. The byte of a mutex with a waiter is
    // 3, a queue's flag is 0 or 1; but the mutex may have been given back since.
    const auto* byte = reinterpret_cast<const std::uint8_t*>(address);
    const std::uint8_t state = __atomic_load_n(byte, __ATOMIC_RELAXED);
    if (state == kLockedAndParked || is_mutex_entry(argument)) {
      static_cast<LockIdentity&>(waited) = mutex_at(address);
      waited.handed_off = reinterpret_cast<const int*>(argument + GILSCOPE_HANDED_OFF);
      return waited;
    }
    const auto* item = reinterpret_cast<const std::uintptr_t*>(argument);
    const bool item_is_empty = __atomic_load_n(item, __ATOMIC_RELAXED) == 0;
    if (state <= 1 && item_is_empty) waited.kind = LockKind::simple_queue;
  }
  return waited;
}

}  // namespace gilscope::parking
