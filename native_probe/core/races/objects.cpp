#include "core/races/objects.hpp"

#include <sys/mman.h>

#include <new>

namespace gilscope::races {
namespace {

ObjectId id_of(std::uint64_t owner) { return static_cast<ObjectId>(owner); }

}  // namespace

Objects::Objects() {
  void* memory = mmap(nullptr, kEntries * sizeof(Entry), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  entries_ = static_cast<Entry*>(memory);
}

Objects::~Objects() {
  munmap(entries_, kEntries * sizeof(Entry));
  for (auto& chunk : dead_) delete[] chunk.load();
}

void Objects::created(const void* address, Slot creator, Clock clock) {
  destroyed(address);  // one that came back to life in its destructor has left an entry
  Entry* set = set_of(address);
  const std::uint64_t mine = std::uint64_t{tag(address)} << 32;
  Entry* place = nullptr;
  for (std::size_t i = 0; i < kWays && place == nullptr; ++i) {
    if (set[i].owner.load(std::memory_order_relaxed) == 0) place = &set[i];
  }
  // Those that have no number yet give way.
  for (std::size_t i = 0; i < kWays && place == nullptr; ++i) {
    if (id_of(set[i].owner.load(std::memory_order_relaxed)) == 0) place = &set[i];
  }
  if (place == nullptr) return;
  std::uint64_t before = place->owner.load(std::memory_order_relaxed);
  if (id_of(before) != 0 || !place->owner.compare_exchange_strong(before, mine)) return;
  place->creator.store(std::uint64_t{creator} << 32 | clock, std::memory_order_relaxed);
}

void Objects::destroyed(const void* address) {
  Entry* set = set_of(address);
  const std::uint32_t mine = tag(address);
  for (std::size_t i = 0; i < kWays; ++i) {
    std::uint64_t owner = set[i].owner.load(std::memory_order_relaxed);
    if (owner >> 32 != mine || owner == 0) continue;
    if (!set[i].owner.compare_exchange_strong(owner, 0)) continue;
    if (id_of(owner) != 0) mark_dead(id_of(owner));
  }
}

Object Objects::number(Entry& entry, std::uint64_t owner) {
  const std::uint64_t creator = entry.creator.load(std::memory_order_relaxed);
  Object object{id_of(owner), static_cast<Slot>(creator >> 32), static_cast<Clock>(creator)};
  if (object.id != 0) return object;
  object.id = ++last_;
  // Somebody else's object may have taken the place of one without a number.
  return entry.owner.compare_exchange_strong(owner, owner | object.id) ? object : Object{};
}

Object Objects::find(const void* address) {
  Entry* set = set_of(address);
  const std::uint64_t mine = std::uint64_t{tag(address)} << 32;
  for (std::size_t i = 0; i < kWays; ++i) {
    const std::uint64_t owner = set[i].owner.load(std::memory_order_relaxed);
    if (owner >> 32 == mine >> 32 && owner != 0) {
      const Object object = number(set[i], owner);
      if (object.id != 0) return object;
    }
  }
  for (std::size_t i = 0; i < kWays; ++i) {
    std::uint64_t owner = set[i].owner.load(std::memory_order_relaxed);
    if (id_of(owner) != 0) continue;
    const ObjectId id = ++last_;
    if (!set[i].owner.compare_exchange_strong(owner, mine | id)) continue;
    set[i].creator.store(0, std::memory_order_relaxed);
    return {id, 0, 0};
  }
  without_room_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void Objects::mark_dead(ObjectId id) {
  std::atomic<std::atomic<std::uint64_t>*>& place = dead_[id / kBitsAChunk];
  std::atomic<std::uint64_t>* chunk = place.load(std::memory_order_acquire);
  if (chunk == nullptr) {
    auto* fresh = new (std::nothrow) std::atomic<std::uint64_t>[kBitsAChunk / 64]();
    if (fresh == nullptr) return;
    if (place.compare_exchange_strong(chunk, fresh)) {
      chunk = fresh;
    } else {
      delete[] fresh;
    }
  }
  chunk[id % kBitsAChunk / 64].fetch_or(std::uint64_t{1} << id % 64, std::memory_order_relaxed);
}

bool Objects::is_dead(ObjectId id) const {
  const std::atomic<std::uint64_t>* chunk = dead_[id / kBitsAChunk].load(std::memory_order_acquire);
  if (chunk == nullptr) return false;
  const std::uint64_t bits = chunk[id % kBitsAChunk / 64].load(std::memory_order_relaxed);
  return (bits >> id % 64 & 1) != 0;
}

}  // namespace gilscope::races
