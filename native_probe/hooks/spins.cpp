#include "hooks/spins.hpp"

#include <sched.h>

#include <atomic>
#include <cstring>

#include "core/session.hpp"
#include "cpython/lock_identity.hpp"
#include "cpython/own_state.hpp"
#include "cpython/parking.hpp"
#include "cpython/stack.hpp"

// A slow path of a lock looks like this, the same in 3.13 to 3.15:
//   for (count = 0;; ++count) { try to take *mutex; if (count == 40) sleep; sched_yield(); }
// `mutex` and `count` live across the call, so they are in registers that a function preserves or
// on the stack; where they are is the same at every execution of that one call instruction, whoever
// the caller is. The return address tells the instruction, and the calibration tells the register.
// Calls that the calibration did not meet (os.sched_yield(), the allocator's, …) are no spins.
extern "C" {
int gilscope_yielded(const std::uintptr_t* registers, const void* caller);
int gilscope_sched_yield();
void gilscope_call_scrubbed(void* function, const void* a, const void* b, const void* c);
}

#if defined(__x86_64__)
// The preserved registers in the order of the pushes, the last one first.
asm(R"(
  .text
  .p2align 4
  .hidden gilscope_sched_yield
  .globl gilscope_sched_yield
  .type gilscope_sched_yield, @function
gilscope_sched_yield:
  .cfi_startproc
  endbr64
  pushq %r15
  .cfi_adjust_cfa_offset 8
  pushq %r14
  .cfi_adjust_cfa_offset 8
  pushq %r13
  .cfi_adjust_cfa_offset 8
  pushq %r12
  .cfi_adjust_cfa_offset 8
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  movq %rsp, %rdi
  movq 48(%rsp), %rsi
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call gilscope_yielded
  addq $56, %rsp
  .cfi_adjust_cfa_offset -56
  ret
  .cfi_endproc
  .size gilscope_sched_yield, .-gilscope_sched_yield

  .p2align 4
  .hidden gilscope_call_scrubbed
  .globl gilscope_call_scrubbed
  .type gilscope_call_scrubbed, @function
gilscope_call_scrubbed:
  .cfi_startproc
  endbr64
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r15, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r14, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r13, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r12, 0
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  movq %rdi, %rax
  movq %rsi, %rdi
  movq %rdx, %rsi
  movq %rcx, %rdx
  movq $-1, %rbx
  movq $-1, %rbp
  movq $-1, %r12
  movq $-1, %r13
  movq $-1, %r14
  movq $-1, %r15
  call *%rax
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbx
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbp
  popq %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r12
  popq %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r13
  popq %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r14
  popq %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r15
  ret
  .cfi_endproc
  .size gilscope_call_scrubbed, .-gilscope_call_scrubbed
)");
#else
// The registers are not looked at: spins are recorded, for an unidentified lock.
__attribute__((noinline)) int gilscope_sched_yield() {
  return gilscope_yielded(nullptr, __builtin_return_address(0));
}
void gilscope_call_scrubbed(void* function, const void* a, const void* b, const void* c) {
  reinterpret_cast<void (*)(const void*, const void*, const void*)>(function)(a, b, c);
}
#endif

namespace gilscope::hooks::spins {
namespace {

using format::EventKind;

constexpr int kRegisters = 6;
constexpr std::uint8_t kAll = (1 << kRegisters) - 1;
constexpr int kMaxSites = 16;

// One call instruction.
struct Site {
  const void* caller = nullptr;  // its return address
  std::uint8_t locks = kAll;     // registers that held the lock's address, every time
  std::uint8_t counts = kAll;    // registers that went up by one, every time
  // While it is learnt:
  std::uintptr_t last[kRegisters] = {};
  std::uint32_t spin = 0;  // number of the spin that `last` is of
  std::uint32_t spins = 0;
  std::uintptr_t address = 0;
  bool several_locks = false;
};

// Written by the calibration, while the second array is in use, and never again.
Site learnt[kMaxSites];
int learnt_count = 0;
std::uint32_t spin_number = 0;
std::atomic<bool> learning{false};

Site sites[kMaxSites];
std::atomic<int> site_count{0};

// A function that does nothing but yield, and that others than locks may call: what follows the
// call is its end.
bool is_wrapper([[maybe_unused]] const void* caller) {
#if defined(__x86_64__)
  static constexpr const char* kEnds[] = {
      "\xC3", "\x48\x83\xC4\x08\xC3", "\x5D\xC3", "\xC9\xC3", "\x58\xC3", "\x59\xC3"};
  for (const char* end : kEnds) {
    if (std::memcmp(caller, end, std::strlen(end)) == 0) return true;
  }
#endif
  return false;
}

void learn(std::uintptr_t expected, const std::uintptr_t* registers, const void* caller) {
  if (expected == 0 || is_wrapper(caller)) return;
  Site* site = learnt;
  while (site != learnt + learnt_count && site->caller != caller) ++site;
  if (site == learnt + kMaxSites) return;
  if (site == learnt + learnt_count) {
    ++learnt_count;
    site->caller = caller;
    if (registers == nullptr) site->locks = site->counts = 0;
  }
  const bool goes_on = site->spin == spin_number;
  if (!goes_on) {
    site->spin = spin_number;
    ++site->spins;
    site->several_locks |= site->address != 0 && site->address != expected;
    site->address = expected;
  }
  if (registers == nullptr) return;
  for (int i = 0; i < kRegisters; ++i) {
    const auto bit = static_cast<std::uint8_t>(1 << i);
    if (registers[i] != expected) site->locks &= static_cast<std::uint8_t>(~bit);
    if (goes_on && registers[i] != site->last[i] + 1) {
      site->counts &= static_cast<std::uint8_t>(~bit);
    }
    site->last[i] = registers[i];
  }
}

const Site* find(const void* caller) {
  const int n = site_count.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    if (sites[i].caller == caller) return &sites[i];
  }
  return nullptr;
}

// What the registers of a mask hold, if it is one thing; else 0.
std::uintptr_t value_of(const std::uintptr_t* registers, std::uint8_t mask) {
  if (mask == 0) return 0;
  const std::uintptr_t value = registers[__builtin_ctz(mask)];
  for (int i = 0; i < kRegisters; ++i) {
    if ((mask & (1 << i)) != 0 && registers[i] != value) return 0;
  }
  return value;
}

// Where no register is known to count: what passes between two turns of one loop is less than this,
// what passes from one lock to the next one is mostly more.
constexpr std::uint64_t kTurn = 256;  // ticks

// The record of a spin is written when it begins, and brought up to date after each turn: so it is
// right when it ends, which is not seen. It can be, as long as it is the thread's latest one.
// A stop may be taking the chunk away.
bool is_latest(const ThreadLog& log) {
  const format::EventRecord* cursor = __atomic_load_n(&log.cursor, __ATOMIC_RELAXED);
  return log.spin.record != nullptr && cursor != nullptr && cursor - 1 == log.spin.record;
}

// The session that the thread has joined; not yet or no longer, if one begins or ends just now.
std::uint64_t session_of(const ThreadLog& log) {
  return __atomic_load_n(&log.session_id, __ATOMIC_RELAXED);
}

void begin(std::uintptr_t address, const void* frame) {
  Recording recording;
  if (!recording) return;
  ThreadLog& log = recording.log();
  const OwnState own;
  const std::uint64_t start = Clock::ticks();
  const LockIdentity lock = address != 0 ? parking::mutex_at(address) : LockIdentity{};
  const std::uint32_t stack = stack::capture(recording, frame);
  const std::uint32_t id = lock_identity::find(recording, lock, stack);
  const format::EventRecord* before = log.cursor;
  recording.emit(EventKind::spin, 0, 0, id, start, 0, 0, stack);
  log.spin.record = log.cursor != before && log.cursor != nullptr ? log.cursor - 1 : nullptr;
}

void turned() {
  Recording recording;
  if (!recording || !is_latest(recording.log())) return;
  ThreadLog& log = recording.log();
  format::EventRecord* record = log.spin.record;
  if (record->kind != static_cast<std::uint8_t>(EventKind::spin)) return;
  log.spin.end = Clock::ticks();
  if (record->aux != UINT16_MAX) ++record->aux;
  __atomic_store_n(&record->duration, log.spin.end - record->start, __ATOMIC_RELAXED);
}

int yielded(const std::uintptr_t* registers, const void* caller, const void* frame) {
  const Site* site = find(caller);
  ThreadLog* log = ThreadLogs::current();
  if (log == nullptr) return sched_yield();
  if (__builtin_expect(learning.load(std::memory_order_relaxed), 0)) {
    learn(log->spin.expected, registers, caller);
  }
  if (site == nullptr) return sched_yield();
  ThreadLog::Spin& spin = log->spin;
  const std::uintptr_t address = registers != nullptr ? value_of(registers, site->locks) : 0;
  bool goes_on =
      spin.caller == caller && spin.address == address && spin.session == session_of(*log);
  if (site->counts != 0) {
    const std::uintptr_t count = registers[__builtin_ctz(site->counts)];
    goes_on = goes_on && count == spin.count + 1;
    spin.count = count;
  } else {
    goes_on = goes_on && Clock::ticks() - spin.end < kTurn;
  }
  // No look at the record itself, which may be gone together with its session.
  // What was recorded since has ended the spin: the thread slept and goes on for another turn.
  goes_on = goes_on && (spin.record == nullptr || is_latest(*log));
  if (!goes_on) {
    spin.record = nullptr;
    begin(address, frame);
    spin.caller = caller;
    spin.address = address;
    spin.session = session_of(*log);
  }
  const int result = sched_yield();
  turned();
  return result;
}

}  // namespace

int (*hook())() { return gilscope_sched_yield; }

Calibration::Calibration() {
  site_count.store(0);
  for (Site& site : learnt) site = Site{};
  learnt_count = 0;
  spin_number = 0;
  learning.store(true);
}

Calibration::~Calibration() { learning.store(false); }

void Calibration::expect(std::uintptr_t address) {
  ThreadLog* log = ThreadLogs::current();
  if (log == nullptr) return;
  ++spin_number;
  log->spin.expected = address;
}

void Calibration::call(void* function, const void* a, const void* b, const void* c) {
  gilscope_call_scrubbed(function, a, b, c);
}

Calibration::Result Calibration::finish() {
  learning.store(false);
  Result result{0, 0};
  for (int i = 0; i < learnt_count; ++i) {
    Site& site = sites[result.sites];
    site = learnt[i];
    // One lock may be in a register by chance.
    if (!site.several_locks) site.locks = 0;
    if (site.spins < 2) site.counts = 0;
    ++result.sites;
    if (site.locks != 0) ++result.proven;
  }
  site_count.store(result.sites, std::memory_order_release);
  return result;
}

Sites sites_in_use(const ElfImage& interpreter) {
  Sites found;
  for (int i = 0; i < site_count.load(std::memory_order_acquire); ++i) {
    const auto caller = reinterpret_cast<std::uintptr_t>(sites[i].caller);
    found.push_back({caller - interpreter.base(), sites[i].locks, sites[i].counts});
  }
  return found;
}

bool adopt(const ElfImage& interpreter, const Sites& learnt_elsewhere) {
  site_count.store(0);
  if (learnt_elsewhere.size() > kMaxSites) return false;
  int n = 0;
  for (const SiteOffset& site : learnt_elsewhere) {
    const auto* caller = reinterpret_cast<const void*>(interpreter.base() + site.offset);
    if (!interpreter.contains(caller) || ((site.locks | site.counts) & ~kAll) != 0) return false;
    sites[n] = Site{};
    sites[n].caller = caller;
    sites[n].locks = site.locks;
    sites[n].counts = site.counts;
    ++n;
  }
  site_count.store(n, std::memory_order_release);
  return true;
}

}  // namespace gilscope::hooks::spins

int gilscope_yielded(const std::uintptr_t* registers, const void* caller) {
  if (gilscope::Session::active() == nullptr) return sched_yield();
  return gilscope::hooks::spins::yielded(registers, caller, __builtin_frame_address(0));
}
