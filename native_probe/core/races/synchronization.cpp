#include "core/races/synchronization.hpp"

#include <algorithm>

namespace gilscope::races {

bool Synchronization::is_held_by(const Thread& thread, Id lock) {
  Stripe& place = stripe(lock);
  const std::lock_guard<std::mutex> guard(place.mutex);
  const auto found = place.points.find(lock);
  return found != place.points.end() && found->second.holder == thread.serial + 1;
}

// Done at the next access, and not with each lock: most of those that only wake threads are never
// held at one.
std::uint32_t Synchronization::number_lockset(Thread& thread) {
  const std::uint32_t signals = signals_.load(std::memory_order_acquire);
  auto& held = thread.held;
  if (thread.signals != signals) {
    const auto is_over = [&](const Held& each) { return !is_held_by(thread, each.lock); };
    held.erase(std::remove_if(held.begin(), held.end(), is_over), held.end());
  }
  Locksets::Set set;
  set.reserve(held.size());
  for (const Held& each : held) set.push_back(each.lock);
  std::sort(set.begin(), set.end());
  thread.lockset = locksets_.number(set);
  thread.signals = signals;
  thread.is_numbered = true;
  return thread.lockset;
}

void Synchronization::hold(Thread& thread, Id lock) {
  thread.held.push_back({lock, ++thread.sequence, 1});
  thread.is_numbered = false;
}

bool Synchronization::let_go(Thread& thread, Id lock, bool wholly) {
  for (std::size_t i = thread.held.size(); i-- > 0;) {
    Held& held = thread.held[i];
    if (held.lock != lock) continue;
    if (!wholly && --held.depth != 0) return false;
    if (wholly) thread.given_up.push_back(held);
    thread.held.erase(thread.held.begin() + static_cast<std::ptrdiff_t>(i));
    thread.is_numbered = false;
    return true;
  }
  return true;  // another thread's, or from before the session
}

void Synchronization::acquire(Thread& thread, Id lock) {
  Stripe& place = stripe(lock);
  const std::lock_guard<std::mutex> guard(place.mutex);
  Point& point = place.points[lock];
  if (point.ignored) return;
  for (std::size_t i = 0; i < thread.held.size(); ++i) {
    if (thread.held[i].lock != lock) continue;
    if (point.holder == thread.serial + 1) {
      ++thread.held[i].depth;
      return;
    }
    // Another thread has released it in the meantime.
    thread.held.erase(thread.held.begin() + static_cast<std::ptrdiff_t>(i));
    thread.is_numbered = false;
    break;
  }
  point.holder = thread.serial + 1;
  if (!point.is_signal) hold(thread, lock);
  if (point.weak || point.releaser == thread.serial + 1) return;
  thread.order.full.join(point.order.full);
  thread.order.forced.join(point.order.forced);
}

void Synchronization::let_go_dead(Thread& thread, const Objects& objects) {
  const auto is_dead = [&objects](const Held& held) {
    return held.lock >> 32 == 0 && objects.is_dead(static_cast<ObjectId>(held.lock));
  };
  auto& held = thread.held;
  const auto end = std::remove_if(held.begin(), held.end(), is_dead);
  if (end == held.end()) return;
  held.erase(end, held.end());
  thread.is_numbered = false;
}

void Synchronization::publish(Thread& thread, Id lock) {
  Stripe& place = stripe(lock);
  const std::lock_guard<std::mutex> guard(place.mutex);
  Point& point = place.points[lock];
  if (point.ignored || point.weak) return;
  // Released by a thread that does not hold it, a lock is a signal, and the order is forced; so it
  // is by the thread that was signalled.
  const bool is_signal = point.is_signal || point.holder != thread.serial + 1;
  point.is_signal = point.holder != 0 && point.holder != thread.serial + 1;
  if (point.is_signal) signals_.fetch_add(1, std::memory_order_release);
  point.order.full.join(thread.order.full);
  if (is_signal) point.order.forced.join(thread.order.forced);
  point.releaser = is_signal ? 0 : thread.serial + 1;
  point.holder = 0;
  thread.advance();
}

void Synchronization::release(Thread& thread, Id lock) {
  if (let_go(thread, lock, false)) publish(thread, lock);
}

void Synchronization::release_all(Thread& thread, Id lock) {
  if (let_go(thread, lock, true)) publish(thread, lock);
}

void Synchronization::acquire_again(Thread& thread, Id lock) {
  acquire(thread, lock);
  for (std::size_t i = thread.given_up.size(); i-- > 0;) {
    if (thread.given_up[i].lock != lock) continue;
    if (!thread.held.empty() && thread.held.back().lock == lock) {
      thread.held.back().depth = thread.given_up[i].depth;
    }
    thread.given_up.erase(thread.given_up.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void Synchronization::give(Thread& thread, Id token) {
  Stripe& place = stripe(token);
  const std::lock_guard<std::mutex> guard(place.mutex);
  place.points[token].order.join(thread.order);
  thread.advance();
}

void Synchronization::take(Thread& thread, Id token) {
  Stripe& place = stripe(token);
  const std::lock_guard<std::mutex> guard(place.mutex);
  const auto found = place.points.find(token);
  if (found != place.points.end()) thread.order.join(found->second.order);
}

void Synchronization::give_item(Thread& thread, Id container, std::uint32_t item) {
  Stripe& place = stripe(container);
  const std::lock_guard<std::mutex> guard(place.mutex);
  Point& box = place.points[container];
  if (box.items >= kMostItems) {
    box.order.join(thread.order);
  } else {
    ++box.items;
    Point& point = place.items[item_id(container, item)];
    ++point.items;
    point.order.join(thread.order);
  }
  thread.advance();
}

void Synchronization::take_item(Thread& thread, Id container, std::uint32_t item) {
  Stripe& place = stripe(container);
  const std::lock_guard<std::mutex> guard(place.mutex);
  const auto box = place.points.find(container);
  if (box == place.points.end()) return;
  thread.order.join(box->second.order);
  const auto found = place.items.find(item_id(container, item));
  if (found == place.items.end()) return;
  thread.order.join(found->second.order);
  --box->second.items;
  if (--found->second.items == 0) place.items.erase(found);
}

void Synchronization::weaken(Id lock) {
  Stripe& place = stripe(lock);
  const std::lock_guard<std::mutex> guard(place.mutex);
  place.points[lock].weak = true;
}

void Synchronization::ignore(Id lock) {
  Stripe& place = stripe(lock);
  const std::lock_guard<std::mutex> guard(place.mutex);
  place.points[lock].ignored = true;
}

void Synchronization::forget(Id id) {
  Stripe& place = stripe(id);
  const std::lock_guard<std::mutex> guard(place.mutex);
  place.points.erase(id);
}

}  // namespace gilscope::races
