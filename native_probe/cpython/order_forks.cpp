#include "cpython/order_forks.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>

#include "cpython/frames.h"
#include "cpython/order_session.hpp"
#include "cpython/races_frames.h"

namespace gilscope::order::forks {
namespace {

constexpr std::size_t kMostForks = 256;
constexpr std::size_t kMostAsked = 512;
constexpr std::size_t kMostAddresses = 4096;  // a power of two
constexpr std::uint32_t kNone = UINT32_MAX;

// Written by children, read by the parent.
struct Entry {
  std::atomic<std::uint32_t> is_written;
  std::uint32_t fork;
  std::uint32_t line;
  std::uintptr_t address;
  char file[256];
  char function[128];
};
struct Shared {
  std::atomic<std::uint32_t> count;
  Entry entries[kMostAsked];
};
Shared* shared = nullptr;

struct Noted {
  std::mutex mutex;
  std::vector<Fork> forks;
};
Noted& noted = *new Noted;

__attribute__((tls_model("initial-exec"))) thread_local std::uint32_t current = kNone;

// Of a child: the fork that made it, and the locks that it has asked for or made. No memory is
// allocated and no lock is taken there.
std::atomic<std::uint32_t> own{kNone};
std::array<std::atomic<std::uintptr_t>, kMostAddresses> known;
std::atomic<std::size_t> known_count{0};

// Whether the address was not known before; it is now. False when there is no room.
bool learn(const void* lock) {
  const auto address = reinterpret_cast<std::uintptr_t>(lock);
  if (known_count.load(std::memory_order_relaxed) >= kMostAddresses / 2) return false;
  for (std::size_t i = (address >> 4U) % kMostAddresses;; i = (i + 1) % kMostAddresses) {
    std::uintptr_t there = known[i].load(std::memory_order_relaxed);
    if (there == 0 && known[i].compare_exchange_strong(there, address)) {
      known_count.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    if (there == address) return false;
  }
}

void copy(char* to, std::size_t capacity, const void* string) {
  std::size_t length = 0;
  const char* text = string != nullptr ? gilscope_text(string, to, capacity - 1, &length) : nullptr;
  length = text != nullptr ? std::min(length, capacity - 1) : 0;
  if (text != nullptr && text != to) std::memcpy(to, text, length);
  to[length] = '\0';
}

}  // namespace

void begin() {
  if (shared == nullptr) {
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = memory != MAP_FAILED ? static_cast<Shared*>(memory) : nullptr;
  }
  if (shared != nullptr) {
    for (Entry& entry : shared->entries) entry.is_written.store(0, std::memory_order_relaxed);
    shared->count.store(0, std::memory_order_release);
  }
  const std::lock_guard<std::mutex> guard(noted.mutex);
  noted.forks.clear();
}

void before_fork() {
  current = kNone;
  Session* session = Session::active();
  Thread* thread = session != nullptr && shared != nullptr ? session->thread() : nullptr;
  const Inside inside(thread);
  if (!inside) return;
  Fork fork{thread->now.serial, thread->now, session->stack(), 0, {}};
  fork.end = session->recorder().held_at_fork(*thread, &fork.held);
  const std::lock_guard<std::mutex> guard(noted.mutex);
  if (noted.forks.size() == kMostForks) return;
  current = static_cast<std::uint32_t>(noted.forks.size());
  noted.forks.push_back(std::move(fork));
}

void after_fork_in_child() {
  new (&noted.mutex) std::mutex;
  if (current != kNone) own.store(current, std::memory_order_relaxed);
}

bool is_child() { return own.load(std::memory_order_relaxed) != kNone; }

void made(const void* lock) { learn(lock); }

void asked(const void* lock) {
  if (!learn(lock)) return;
  const std::uint32_t number = shared->count.fetch_add(1, std::memory_order_relaxed);
  if (number >= kMostAsked) return;
  Entry& entry = shared->entries[number];
  entry.fork = own.load(std::memory_order_relaxed);
  entry.address = reinterpret_cast<std::uintptr_t>(lock);
  gilscope_place place{};
  const void* frame = gilscope_running_frame();
  if (frame == nullptr || gilscope_place_of(frame, &place) == 0) place = {};
  copy(entry.file, sizeof entry.file, place.file);
  copy(entry.function, sizeof entry.function, place.name);
  entry.line = place.line;
  entry.is_written.store(1, std::memory_order_release);
}

std::vector<Fork> all() {
  const std::lock_guard<std::mutex> guard(noted.mutex);
  return noted.forks;
}

std::vector<Asked> all_asked() {
  std::vector<Asked> found;
  if (shared == nullptr) return found;
  const std::size_t count = shared->count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < std::min(count, kMostAsked); ++i) {
    const Entry& entry = shared->entries[i];
    if (entry.is_written.load(std::memory_order_acquire) == 0) continue;
    found.push_back({entry.fork, entry.address, entry.file, entry.function, entry.line});
  }
  return found;
}

}  // namespace gilscope::order::forks
