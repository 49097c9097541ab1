#include "core/order/recorder.hpp"

#include <algorithm>
#include <utility>

namespace gilscope::order {
namespace {

std::uint32_t progress(const Known& known, Serial serial) {
  return known != nullptr && serial < known->size() ? (*known)[serial] : 0;
}

// Whether `known` and the thread's own clock have all of this already.
bool has_all(const Known& known, const Point& other) {
  if (progress(known, other.serial) < other.clock) return false;
  if (other.known == nullptr || known == other.known) return true;
  for (std::size_t i = 0; i < other.known->size(); ++i) {
    if (progress(known, static_cast<Serial>(i)) < (*other.known)[i]) return false;
  }
  return true;
}

bool is_section(const Lock& lock) { return lock.info.kind == Kind::section; }

std::vector<Gate> gates_of(const Thread& thread, const Lock* except) {
  std::vector<Gate> gates;
  for (const Held& held : thread.held) {
    if (held.lock != except && !is_section(*held.lock)) gates.push_back({held.id, held.shared});
  }
  return gates;
}

void purge(std::vector<Held>& held, std::size_t place) {
  held.erase(held.begin() + static_cast<std::ptrdiff_t>(place));
}

// Held while something runs and given back by the same thread: nobody is noted as the owner.
bool is_scoped(const Lock& lock) {
  const Kind kind = lock.info.kind;
  return kind == Kind::loader || kind == Kind::guard || kind == Kind::once || kind == Kind::section;
}

bool is_native(const Lock& lock) {
  return lock.info.kind == Kind::mutex || lock.info.kind == Kind::rwlock ||
         (is_scoped(lock) && !is_section(lock));
}

bool has(const Thread& thread, const Lock* lock) {
  return std::any_of(thread.held.begin(), thread.held.end(),
                     [lock](const Held& held) { return held.lock == lock; });
}

}  // namespace

Recorder::Recorder(StackId (*take_stack)()) : take_stack_(take_stack) {
  gil_.info.kind = Kind::gil;
  gil_.id.store(kGil, std::memory_order_relaxed);
}

Thread* Recorder::start(const Point& from) {
  auto thread = std::make_unique<Thread>();
  Thread* made = thread.get();
  const std::lock_guard<std::mutex> guard(threads_mutex_);
  made->now.serial = static_cast<Serial>(threads_.size());
  made->now.clock = 1;
  threads_.push_back(std::move(thread));
  if (from.clock != 0) learn(*made, from);
  return made;
}

Point Recorder::fork(Thread& by) { return tell(by); }

Point Recorder::tell(Thread& thread) {
  Point told = thread.now;
  ++thread.now.clock;
  ++thread.stretch;
  return told;
}

void Recorder::learn(Thread& thread, const Point& point) {
  if (point.clock == 0 || point.serial == thread.now.serial) return;
  if (has_all(thread.now.known, point)) return;
  auto joined = thread.now.known != nullptr
                    ? std::make_shared<std::vector<std::uint32_t>>(*thread.now.known)
                    : std::make_shared<std::vector<std::uint32_t>>();
  std::size_t size = point.serial + std::size_t{1};
  if (point.known != nullptr) size = std::max(size, point.known->size());
  if (joined->size() < size) joined->resize(size);
  if (point.known != nullptr) {
    for (std::size_t i = 0; i < point.known->size(); ++i) {
      (*joined)[i] = std::max((*joined)[i], (*point.known)[i]);
    }
  }
  (*joined)[point.serial] = std::max((*joined)[point.serial], point.clock);
  thread.now.known = std::move(joined);
  ++thread.stretch;
}

// --- Locks ---------------------------------------------------------------------------------------

Lock* Recorder::take_lock() {
  const std::lock_guard<std::mutex> guard(free_mutex_);
  if (free_.empty()) return &all_.emplace_back();
  Lock* lock = free_.back();
  free_.pop_back();
  return lock;
}

void Recorder::put(Stripe& place, std::uintptr_t address, Kind kind, StackId site) {
  Lock* lock = take_lock();
  lock->address = address;
  lock->owner.store(0, std::memory_order_relaxed);
  lock->has_signal.store(false, std::memory_order_relaxed);
  lock->is_referenced.store(false, std::memory_order_relaxed);
  lock->signal = {};
  lock->info = {kind, site, address, 0, false, 0, {}};
  lock->id.store(next_id_.fetch_add(1, std::memory_order_relaxed), std::memory_order_release);
  place.locks[address] = lock;
}

void Recorder::end_life(Stripe& place, Lock* lock) {
  const LockId id = lock->id.exchange(0, std::memory_order_acq_rel);
  if (lock->is_referenced.load(std::memory_order_relaxed)) place.gone[id] = lock->info;
}

Lock* Recorder::find(Thread& thread, std::uintptr_t address, Kind kind) {
  Thread::Recent& recent = thread.recent_of(address);
  if (recent.address == address && recent.id != 0 &&
      recent.lock->id.load(std::memory_order_acquire) == recent.id) {
    return recent.lock;
  }
  Stripe& place = stripe(address);
  const std::lock_guard<std::mutex> guard(place.mutex);
  auto found = place.locks.find(address);
  if (found == place.locks.end()) {
    put(place, address, kind, take_stack_());
    found = place.locks.find(address);
  }
  Lock* lock = found->second;
  recent = {address, lock, lock->id.load(std::memory_order_relaxed), 0};
  return lock;
}

void Recorder::create(std::uintptr_t address, Kind kind, StackId site) {
  forget(address);
  Stripe& place = stripe(address);
  const std::lock_guard<std::mutex> guard(place.mutex);
  put(place, address, kind, site);
}

void Recorder::forget(std::uintptr_t address) {
  Stripe& place = stripe(address);
  Lock* lock = nullptr;
  {
    const std::lock_guard<std::mutex> guard(place.mutex);
    const auto found = place.locks.find(address);
    if (found == place.locks.end()) return;
    lock = found->second;
    place.locks.erase(found);
    end_life(place, lock);
  }
  const std::lock_guard<std::mutex> guard(free_mutex_);
  free_.push_back(lock);
}

std::map<LockId, LockInfo> Recorder::locks() {
  std::map<LockId, LockInfo> all{{kGil, gil_.info}};
  for (Stripe& place : stripes_) {
    const std::lock_guard<std::mutex> guard(place.mutex);
    all.insert(place.gone.begin(), place.gone.end());
    for (const auto& [address, lock] : place.locks) {
      if (lock->is_referenced.load(std::memory_order_relaxed)) all[lock->id] = lock->info;
    }
  }
  return all;
}

// --- What a thread holds -------------------------------------------------------------------------

// Locks that another thread has released, or that are gone.
void Recorder::drop_stale(Thread& thread) {
  const Serial self = thread.now.serial + 1;
  for (std::size_t i = thread.held.size(); i-- > 0;) {
    const Held& held = thread.held[i];
    const bool is_alive = held.lock->id.load(std::memory_order_relaxed) == held.id;
    const bool is_mine = held.shared || is_scoped(*held.lock) ||
                         held.lock->owner.load(std::memory_order_relaxed) == self;
    if (is_alive && is_mine) continue;
    thread.native_held -= is_native(*held.lock) && thread.native_held != 0 ? 1 : 0;
    purge(thread.held, i);
  }
}

void Recorder::ask(Thread& thread, Lock* lock, Mode mode, bool shared, PlaceId at, bool has_gil) {
  if (lock->info.kind == Kind::ignored) return;
  if (!has_threads_.load(std::memory_order_relaxed)) return;
  const Serial self = thread.now.serial + 1;
  if (lock->owner.load(std::memory_order_relaxed) == self) return;  // again, or its own signal
  if (is_scoped(*lock) && has(thread, lock)) return;
  if (mode == Mode::blocking) pass(thread, lock, shared);
  if (!thread.held.empty() || has_gil) {
    add_edges(thread, lock, mode, shared, at, has_gil, nullptr);
  }
}

void Recorder::wait(Thread& thread, Lock* resource, const Lock* except, bool has_gil) {
  if (!has_threads_.load(std::memory_order_relaxed)) return;
  resource->is_referenced.store(true, std::memory_order_relaxed);
  ++thread.stretch;  // what is passed before and what after it are told apart
  thread.part.waits[resource->id.load(std::memory_order_relaxed)].add(++thread.sequence);
  if (!thread.held.empty() || has_gil) {
    add_edges(thread, resource, Mode::blocking, false, take_stack_(), has_gil, except);
  }
}

void Recorder::provide(Thread& thread, Lock* resource) {
  resource->is_referenced.store(true, std::memory_order_relaxed);
  ++thread.stretch;
  thread.part.provided[resource->id.load(std::memory_order_relaxed)].add(++thread.sequence);
}

void Recorder::pass(Thread& thread, Lock* lock, bool shared) {
  Thread::Recent& recent = thread.recent_of(lock->address);
  const bool is_cached = recent.lock == lock;
  if (is_cached && recent.passed_in == thread.stretch) return;
  if (is_cached) recent.passed_in = thread.stretch;
  const LockId id = lock->id.load(std::memory_order_relaxed);
  if (thread.part.passed.size() == kMostPassed && thread.passed_numbers.count(id) == 0) {
    ++thread.part.left_out;
    return;
  }
  lock->is_referenced.store(true, std::memory_order_relaxed);
  const auto [number, is_new] =
      thread.passed_numbers.try_emplace(id, static_cast<std::uint32_t>(thread.part.passed.size()));
  if (is_new) thread.part.passed.push_back({id, shared, take_stack_(), {}});
  Passed& passed = thread.part.passed[number->second];
  if (passed.times.size() == kMostTimes) passed.times.pop_back();
  passed.times.push_back({++thread.sequence, thread.now, gates_of(thread, lock)});
}

LockId Recorder::held_at_fork(Thread& thread, std::vector<LockId>* held) {
  drop_stale(thread);
  for (const Held& one : thread.held) {
    if (!one.shared) held->push_back(one.id);
  }
  return next_id_.load(std::memory_order_relaxed);
}

void Recorder::add_edges(Thread& thread, Lock* lock, Mode mode, bool shared, PlaceId at,
                         bool has_gil, const Lock* except) {
  drop_stale(thread);
  std::uint64_t hash = static_cast<std::uint64_t>(mode) * 2 + (shared ? 1 : 0);
  for (const Held& held : thread.held) {
    if (held.lock != except) hash = (hash ^ held.id) * 0x100000001B3U + (held.shared ? 1 : 0);
  }
  hash = hash * 2 + (has_gil ? 1 : 0);
  const LockId asked = lock->id.load(std::memory_order_relaxed);
  for (const Held& held : thread.held) {
    if (held.lock == except || held.lock == lock) continue;
    if (is_section(*held.lock) && !has_gil) continue;
    Edge edge;
    edge.key = {held.id, held.at, asked, at, hash};
    edge.mode = mode;
    edge.held_shared = held.shared;
    edge.asked_shared = shared;
    edge.attached = has_gil;
    edge.gil_is_gate = has_gil && held.gil_turn == thread.gil_turn && is_native(*held.lock);
    held.lock->is_referenced.store(true, std::memory_order_relaxed);
    add_edge(thread, std::move(edge), except);
  }
  if (has_gil) {
    Edge edge;
    edge.key = {gil_.id.load(std::memory_order_relaxed), 0, asked, at, hash};
    edge.mode = mode;
    edge.asked_shared = shared;
    edge.attached = true;
    add_edge(thread, std::move(edge), except);
  }
  lock->is_referenced.store(true, std::memory_order_relaxed);
}

void Recorder::add_edge(Thread& thread, Edge edge, const Lock* except) {
  auto found = thread.edge_numbers.find(edge.key);
  if (found == thread.edge_numbers.end()) {
    if (thread.part.edges.size() == kMostEdges) {
      ++thread.part.left_out;
      return;
    }
    edge.stack = take_stack_();
    for (const Held& held : thread.held) {
      const bool is_gate = held.lock != except && held.id != edge.key.asked &&
                           (edge.attached || !is_section(*held.lock));
      if (is_gate && held.id != edge.key.held) {
        edge.gates.push_back({held.id, held.shared});
        held.lock->is_referenced.store(true, std::memory_order_relaxed);
      }
    }
    const auto number = static_cast<std::uint32_t>(thread.part.edges.size());
    found = thread.edge_numbers.emplace(edge.key, number).first;
    thread.part.edges.push_back(std::move(edge));
  }
  Edge& known = thread.part.edges[found->second];
  ++known.count;
  known.points.add(thread.now);
}

void Recorder::acquired(Thread& thread, Lock* lock, bool shared, PlaceId at) {
  const Serial self = thread.now.serial + 1;
  if (lock->has_signal.load(std::memory_order_acquire)) {
    Stripe& place = stripe(lock->address);
    const std::lock_guard<std::mutex> guard(place.mutex);
    learn(thread, lock->signal);
  }
  if (lock->info.kind == Kind::ignored) {
    lock->owner.store(self, std::memory_order_relaxed);
    return;
  }
  for (std::size_t i = thread.held.size(); i-- > 0;) {
    Held& held = thread.held[i];
    if (held.lock != lock) continue;
    if (held.id == lock->id && (held.shared || is_scoped(*lock) || lock->owner == self)) {
      ++held.depth;
      return;
    }
    purge(thread.held, i);  // another thread has released it in the meantime
    break;
  }
  if (!shared && !is_scoped(*lock)) lock->owner.store(self, std::memory_order_relaxed);
  thread.held.push_back({lock, lock->id, at, 1, thread.gil_turn, shared});
  thread.native_held += is_native(*lock) ? 1 : 0;
}

void Recorder::released(Thread& thread, Lock* lock, bool wholly) {
  const Serial self = thread.now.serial + 1;
  for (std::size_t i = thread.held.size(); i-- > 0;) {
    Held& held = thread.held[i];
    if (held.lock != lock) continue;
    if (!wholly && --held.depth != 0) return;
    if (wholly) thread.given_up.push_back(held);
    if (!held.shared && lock->owner == self) {
      if (lock->info.kind == Kind::lock) lock->info.renewed = true;
      lock->owner.store(0, std::memory_order_relaxed);
    }
    thread.native_held -= is_native(*lock) && thread.native_held != 0 ? 1 : 0;
    purge(thread.held, i);
    return;
  }
  if (is_scoped(*lock)) return;  // acquired before the watch began
  const bool is_own = lock->owner.load(std::memory_order_relaxed) == self;
  lock->owner.store(0, std::memory_order_relaxed);
  if (is_own) return;
  // Released by a thread that does not hold it, a lock is a signal.
  if (lock->info.kind != Kind::ignored) provide(thread, lock);
  const Point told = tell(thread);
  Stripe& place = stripe(lock->address);
  const std::lock_guard<std::mutex> guard(place.mutex);
  lock->signal = told;
  lock->has_signal.store(true, std::memory_order_release);
}

std::size_t Recorder::native_callers() {
  const std::lock_guard<std::mutex> guard(threads_mutex_);
  return static_cast<std::size_t>(
      std::count_if(threads_.begin(), threads_.end(), [](const auto& thread) {
        return thread->is_native && thread->calls_python && !thread->has_ended;
      }));
}

void Recorder::add_late_request(Thread& thread) {
  if (thread.part.late_requests++ == 0) thread.part.late_stack = take_stack_();
  late_requests_.fetch_add(1, std::memory_order_relaxed);
}

void Recorder::acquired_again(Thread& thread, Lock* lock, PlaceId at) {
  acquired(thread, lock, false, at);
  for (std::size_t i = thread.given_up.size(); i-- > 0;) {
    if (thread.given_up[i].lock != lock) continue;
    if (!thread.held.empty() && thread.held.back().lock == lock) {
      thread.held.back().depth = thread.given_up[i].depth;
      thread.held.back().at = thread.given_up[i].at;
    }
    thread.given_up.erase(thread.given_up.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

}  // namespace gilscope::order
