#include "core/races/threads.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace gilscope::races {

Order Threads::fork(Thread* parent) {
  if (parent == nullptr) return {};
  Order order = parent->order;
  parent->advance();
  return order;
}

// A slot is free for a thread that begins after all that its last user did.
Slot Threads::take_slot(const Order& from) {
  for (std::size_t i = 0; i < free_.size(); ++i) {
    const Slot slot = free_[i];
    if (from.forced.of(slot) < places_[slot].last) continue;
    free_[i] = free_.back();
    free_.pop_back();
    return slot;
  }
  places_.emplace_back();
  return static_cast<Slot>(places_.size() - 1);
}

Thread* Threads::start(const Order& from, std::string name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (places_.size() >= kMaxSlots) return nullptr;
  auto* thread = new Thread;
  thread->slot = take_slot(from);
  Place& place = places_[thread->slot];
  place.is_free = false;
  thread->clock = place.next;
  thread->serial = static_cast<std::uint32_t>(names_.size());
  place.uses.push_back({thread->serial, thread->clock});
  names_.push_back(std::move(name));
  tids_.push_back(static_cast<std::uint32_t>(syscall(SYS_gettid)));
  thread->order = from;
  thread->order.full.set(thread->slot, thread->clock);
  thread->order.forced.set(thread->slot, thread->clock);
  return thread;
}

void Threads::end(Thread& thread) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (thread.has_ended) return;
  thread.has_ended = true;
  Place& place = places_[thread.slot];
  place.last = thread.used;
  place.next = thread.clock + 1;
  place.is_free = true;
  free_.push_back(thread.slot);
}

void Threads::name(const Thread& thread, std::string name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  names_[thread.serial] = std::move(name);
}

bool Threads::is_alone(const Thread& thread) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto slot = static_cast<Slot>(i);
    if (slot == thread.slot) continue;
    if (!places_[i].is_free || thread.order.full.of(slot) < places_[i].last) return false;
  }
  return true;
}

std::uint32_t Threads::serial(Slot slot, Clock clock) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (slot >= places_.size()) return 0;
  std::uint32_t serial = 0;
  for (const Use& use : places_[slot].uses) {
    if (use.begin <= clock) serial = use.serial;
  }
  return serial;
}

std::string Threads::name_of(std::uint32_t serial) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return serial < names_.size() ? names_[serial] : std::string();
}

std::uint32_t Threads::tid_of(std::uint32_t serial) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return serial < tids_.size() ? tids_[serial] : 0;
}

std::size_t Threads::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return names_.size();
}

}  // namespace gilscope::races
