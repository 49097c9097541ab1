#include "cpython/park_sites.hpp"

#include <Python.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstring>

#include "core/clock.hpp"
#include "core/native_stack.hpp"
#include "cpython/layout.h"

namespace gilscope::parking {
namespace {

constexpr std::uint64_t kPatience = 2'000'000'000;  // ns; far more than a lesson takes
constexpr int kMostCopies = 4;

ElfImage* interpreter_image = nullptr;  // leaked: threads may be in a hook at the process's end
CodeRange semaphore_wait;
CodeRange parking_lot;

// Return addresses of calls of _PySemaphore_Wait in copies of _PyParkingLot_Park. Written by the
// one thread that takes a lesson.
std::atomic<const void*> copies[kMostCopies];
std::atomic<std::uintptr_t> lesson{0};  // the lock that the lesson is about; 0: there is none
std::atomic<bool> looked{false};

// Whether the instruction before `address` is a direct call of _PySemaphore_Wait.
bool returns_from_wait(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (!interpreter_image->contains(reinterpret_cast<const void*>(at - 8))) return false;
#if defined(__x86_64__)
  std::int32_t distance = 0;
  std::memcpy(&distance, reinterpret_cast<const void*>(at - sizeof distance), sizeof distance);
  return *reinterpret_cast<const std::uint8_t*>(at - 5) == 0xE8 &&
         at + static_cast<std::intptr_t>(distance) == semaphore_wait.begin;
#elif defined(__aarch64__)
  std::uint32_t instruction = 0;
  if (at % sizeof instruction != 0) return false;
  std::memcpy(&instruction, reinterpret_cast<const void*>(at - 4), sizeof instruction);
  // BL: the distance is a signed number of instructions, 26 bits.
  const auto distance = static_cast<std::int32_t>(instruction << 6U) >> 4;
  return instruction >> 26U == 0x25 &&
         at - 4 + static_cast<std::intptr_t>(distance) == semaphore_wait.begin;
#else
  return false;
#endif
}

bool is_copy(const void* address) {
  for (const auto& copy : copies) {
    const void* known = copy.load(std::memory_order_relaxed);
    if (known == nullptr) return false;
    if (known == address) return true;
  }
  return false;
}

void remember(const void* address) {
  if (is_copy(address)) return;
  for (auto& copy : copies) {
    if (copy.load(std::memory_order_relaxed) != nullptr) continue;
    copy.store(address, std::memory_order_relaxed);
    return;
  }
}

bool is_entry_of(const sem_t* semaphore, std::uintptr_t lock) {
  return reinterpret_cast<const std::uintptr_t*>(semaphore)[GILSCOPE_PARK_ADDRESS] == lock;
}

struct Pupil {
  PyMutex* mutex;
  bool attached;
};

void* wait_for_mutex(void* data) {
  const Pupil& pupil = *static_cast<Pupil*>(data);
  const PyGILState_STATE state = pupil.attached ? PyGILState_Ensure() : PyGILState_STATE{};
  PyMutex_Lock(pupil.mutex);
  PyMutex_Unlock(pupil.mutex);
  if (pupil.attached) PyGILState_Release(state);
  return nullptr;
}

// A thread whose stack is new, so nothing that looks like a return address is left on it.
// False when no wait of it was seen.
bool give_lesson(bool attached) {
  PyMutex mutex{};
  PyMutex_Lock(&mutex);
  Pupil pupil{&mutex, attached};
  looked = false;
  lesson = reinterpret_cast<std::uintptr_t>(&mutex);
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, wait_for_mutex, &pupil) == 0) {
    const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + kPatience;
    while (!looked && nanoseconds(CLOCK_MONOTONIC) < deadline) sched_yield();
    PyMutex_Unlock(&mutex);
    pthread_join(thread, nullptr);
  } else {
    PyMutex_Unlock(&mutex);
  }
  lesson = 0;
  return looked;
}

}  // namespace

void find_sites(const ElfImage& interpreter) {
  interpreter_image = new ElfImage(interpreter);
  semaphore_wait = interpreter.function("_PySemaphore_Wait");
  parking_lot = interpreter.function("_PyParkingLot_Park");
}

// Some compilers inline the first function into the second one, at some of its calls.
bool is_park(const void* caller) {
  return semaphore_wait.contains(caller) || parking_lot.contains(caller);
}

Callers::Callers(const char* frame) : count(native_stack::callers(frame, at, kMost)) {}

// The hook was called by _PySemaphore_Wait, and that by the function with the semaphore; or by that
// function itself, where the first one is inlined into it.
Park in_parking_lot(const sem_t* semaphore, const Callers& callers) {
  if (!parking_lot.known() || callers.count == 0) return {Park::Answer::unknown, 0};
  if (parking_lot.contains(callers.at[0])) return {Park::Answer::yes, 1};
  const void* place = callers.count > 1 ? callers.at[1] : nullptr;
  const bool known = parking_lot.contains(place) || is_copy(place);
  const std::uintptr_t lock = lesson.load(std::memory_order_relaxed);
  if (lock != 0 && is_entry_of(semaphore, lock)) {
    // What sleeps here, for a lock that is known, is a copy of the parking lot's function.
    if (!known && place != nullptr && returns_from_wait(place)) remember(place);
    looked = true;
  }
  if (place == nullptr) return {Park::Answer::unknown, 0};
  return known ? Park{Park::Answer::yes, 2} : Park{Park::Answer::no, 0};
}

bool has_copies() { return copies[0].load(std::memory_order_relaxed) != nullptr; }

bool learn_sites() {
  if (!parking_lot.known() || !semaphore_wait.known()) return true;
  PyThreadState* state = PyEval_SaveThread();
  // A thread without a thread state has nothing to detach, which may be another call.
  const bool learnt = give_lesson(false) && give_lesson(true);
  PyEval_RestoreThread(state);
  return learnt;
}

ParkSites learnt_park_sites() {
  ParkSites sites;
  for (const auto& copy : copies) {
    const void* address = copy.load(std::memory_order_relaxed);
    if (address == nullptr) break;
    sites.push_back(reinterpret_cast<std::uintptr_t>(address) - interpreter_image->base());
  }
  return sites;
}

bool adopt_park_sites(const ParkSites& sites) {
  for (auto& copy : copies) copy.store(nullptr, std::memory_order_relaxed);
  for (const std::uintptr_t offset : sites) {
    const auto* address = reinterpret_cast<const void*>(interpreter_image->base() + offset);
    if (!returns_from_wait(address)) return false;
    remember(address);
  }
  return true;
}

}  // namespace gilscope::parking
