#include "core/races/detector.hpp"

#include <algorithm>

#include "core/clock.hpp"

namespace gilscope::races {
namespace {

class Locked {
 public:
  Locked(SpinLock& lock, bool needed) : lock_(needed ? &lock : nullptr) {
    if (lock_ != nullptr) lock_->lock();
  }
  ~Locked() {
    if (lock_ != nullptr) lock_->unlock();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  SpinLock* lock_;
};

bool is_iteration(Op op) { return op == Op::iterate || op == Op::step; }

// Whether there is one left; takes it.
bool takes_one(std::atomic<std::uint32_t>& left) {
  std::uint32_t now = left.load(std::memory_order_relaxed);
  while (now != 0) {
    if (left.compare_exchange_weak(now, now - 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

bool is_same(const Access& a, const Access& b) {
  return a.clock == b.clock && a.site == b.site && a.stack == b.stack && a.locks == b.locks;
}

}  // namespace

bool Detector::access(Thread& thread, const Object& object, Key key, Op op, std::uint32_t site,
                      std::uint32_t stack) {
  if (object.id == 0) return false;
  const std::uint64_t hash = Shadow::hash(object.id, key);
  Stripe& stripe = shadow_.stripe(hash);
  thread.used = thread.clock;
  const std::uint32_t locks = synchronization_.lockset(thread);
  const Now now{thread, object, key, op, {{thread.clock, site, stack, locks}, 0}};
  const Locked locked(stripe.lock, options_.locks_shadow);
  Cell& cell = stripe.find(object.id, key, hash, objects_, shadow_.most());
  if (cell.has(Cell::kIsShared)) return in_shared(stripe.shared(cell), now);
  return in_cell(stripe, cell, now);
}

// --- One thread at a time

bool Detector::in_cell(Stripe& stripe, Cell& cell, const Now& now) {
  const bool is_fresh = !cell.has(Cell::kIsUsed);
  if (!is_fresh && cell.slot != now.thread.slot) {
    const Clock last = std::max(cell.read.clock, cell.write.clock);
    if (last > now.thread.order.forced.of(cell.slot)) {
      share(stripe, cell);
      return in_shared(stripe.shared(cell), now);
    }
    // The other thread has handed it over; nothing that it did can race with anything any more that
    // does not race with this.
    const Cell old = cell;
    cell = Cell();
    cell.key = old.key;
    cell.object = old.object;
  }
  // What a cell has no room for.
  const bool is_blind = writes(now.op) && cell.has(Cell::kHasPair) && !cell.has(Cell::kHasRead);
  const bool is_second_read = now.op == Op::read && cell.has(Cell::kHasRead) &&
                              is_split(cell.read, cell.sequence, now.thread);
  const bool is_for_time = is_timed(now.access.site) && takes_one(early_histories_);
  if (is_blind || is_second_read || is_for_time || is_iteration(now.op) ||
      (now.op == Op::read && is_iteration(cell.read_op()))) {
    cell.slot = now.thread.slot;
    share(stripe, cell);
    return in_shared(stripe.shared(cell), now);
  }
  cell.slot = now.thread.slot;
  cell.set(Cell::kIsUsed, true);
  keep(cell, now);
  return true;
}

void Detector::keep(Cell& cell, const Now& now) const {
  if (!writes(now.op)) {
    cell.read = now.access;
    cell.set_read_op(now.op);
    cell.set(Cell::kHasRead, true);
    cell.sequence = now.thread.sequence;
    return;
  }
  if (cell.has(Cell::kHasRead)) {
    cell.pair_site = cell.read.site;
    cell.pair_stack = cell.read.stack;
    cell.pair_locks = cell.read.locks;
    cell.set(Cell::kHasPair, true);
    cell.set(Cell::kPairIsSplit, is_split(cell.read, cell.sequence, now.thread));
  } else {
    cell.set(Cell::kHasPair, false);
  }
  cell.set(Cell::kHasRead, false);
  cell.write = now.access;
  cell.set_write_op(now.op);
}

void Detector::share(Stripe& stripe, Cell& cell) {
  taken_[cell.slot].fetch_add(1, std::memory_order_relaxed);
  const Cell old = cell;
  Shared& shared = stripe.share(cell);
  History history;
  history.slot = old.slot;
  history.read = {old.read, 0};
  history.read_op = old.read_op();
  if (is_iteration(old.read_op())) history.iteration = history.read;
  history.has_read = old.has(Cell::kHasRead);
  history.sequence = old.sequence;
  if (old.write.clock != 0) {
    Writes& side = history.side(old.write_op());
    side.last = {old.write, 0};
    side.op = old.write_op();
    side.version = shared.version = 1;
    if (history.has_read) history.read_version = 1;
    if (old.has(Cell::kHasPair)) {
      side.pair_read = {{old.write.clock, old.pair_site, old.pair_stack, old.pair_locks}, 0};
      side.pair_write = side.last;
      side.pair_op = old.write_op();
      side.pair_is_split = old.has(Cell::kPairIsSplit);
    }
  }
  shared.histories.push_back(history);
}

// --- Threads that share

bool Detector::in_shared(Shared& shared, Now now) {
  if (is_timed(now.access.site)) now.access.time_ns = nanoseconds(CLOCK_MONOTONIC);
  ++now.thread.uses;
  History* own = nullptr;
  for (History& history : shared.histories) {
    if (history.slot == now.thread.slot) own = &history;
  }
  if (own == nullptr) {
    shared.histories.emplace_back();
    own = &shared.histories.back();
    own->slot = now.thread.slot;
  }
  if (writes(now.op)) {
    write(shared, *own, now);
  } else {
    read(shared, *own, now);
  }
  return false;
}

// Of earlier accesses by the thread with that slot.
bool Detector::is_unordered(const Access& before, Slot slot, const Now& now) const {
  if (before.clock <= now.thread.order.full.of(slot)) return false;
  // An object that came here without any order was given away: what its maker did with it until
  // then is done.
  const bool is_handed_over = slot == now.object.creator && now.object.created != 0 &&
                              now.object.created > now.thread.order.full.of(slot);
  return !is_handed_over &&
         !synchronization_.locksets().have_common(before.locks, now.access.locks);
}

bool Detector::is_by_chance(const Access& before, Slot slot, const Now& now) const {
  return before.clock > now.thread.order.forced.of(slot) &&
         !synchronization_.locksets().have_common(before.locks, now.access.locks);
}

bool Detector::matters(const Access& before, Slot slot, const Now& now, bool* suspected) const {
  if (before.clock == 0) return false;
  *suspected = false;
  if (is_unordered(before, slot, now)) return true;
  *suspected = true;
  return options_.suspected && is_by_chance(before, slot, now);
}

// A lock that was held at the read and is held now, and was given back in between, when no lock was
// held all the time.
bool Detector::is_split(const Access& read, std::uint32_t sequence, const Thread& thread) const {
  if (thread.held.empty() || read.locks == Locksets::kEmpty) return false;
  bool given_back = false;
  const Locksets::Set before = synchronization_.locksets().of(read.locks);
  for (const Held& held : thread.held) {
    if (!std::binary_search(before.begin(), before.end(), held.lock)) continue;
    if (held.since <= sequence) return false;
    given_back = true;
  }
  return given_back;
}

// The same check as the one that the other thread acted on: this thread would have, too.
void Detector::same_check(const Writes& theirs, const History& of, const Seen& self,
                          const Now& now) {
  const Timed& write = theirs.pair_write;
  const bool is_by_chance = write.clock > now.thread.order.forced.of(of.slot);
  const auto check = [&](const Timed& read, Op op, bool split, const Seen& again) {
    if (read.clock == 0 || read.site != now.access.site) return;
    if (!(split ? is_by_chance : is_unordered(write, of.slot, now))) return;
    report({Kind::update, split, false, seen(read, of.slot, op),
            seen(write, of.slot, theirs.pair_op), self, again},
           now);
  };
  check(theirs.pair_read, theirs.pair_read_op, theirs.pair_is_split, {});
  check(theirs.early_read, theirs.early_op, true,
        seen(theirs.pair_read, of.slot, theirs.pair_read_op));
}

// A read that is not ordered after what the other thread wrote.
void Detector::read_against(const History& other, History& own, const Now& now) {
  const Seen self = seen(now.access, own.slot, now.op);
  for (int i = 0; i < 2; ++i) {
    const Writes& theirs = other.sides[i];
    same_check(theirs, other, self, now);
    if (theirs.last.clock == 0 || !is_unordered(theirs.last, other.slot, now)) continue;
    const Seen written = seen(theirs.last, other.slot, theirs.op);
    own.sides[i].unordered = theirs.last;
    own.sides[i].unordered_thread = written.thread;
    own.sides[i].unordered_op = theirs.op;
    note_half(now, self, written);
    if (is_iteration(now.op)) {
      report({Kind::iteration, false, false, self, {}, written}, now);
    } else if (options_.publications) {
      report({Kind::publication, false, false, self, {}, written}, now);
    }
  }
}

void Detector::read(Shared& shared, History& own, const Now& now) {
  own.sides[0].unordered = own.sides[1].unordered = {};
  for (const History& other : shared.histories) {
    if (&other != &own) read_against(other, own, now);
  }
  if (now.op == Op::step) witness(shared, own, now);
  if (is_iteration(now.op)) {
    own.iteration = now.access;
    own.iteration_version = shared.version;
  }
  // A check in one critical section, and an act in the next one that reads again.
  if (own.has_read && is_split(own.read, own.sequence, now.thread)) {
    own.early = own.read;
    own.early_op = own.read_op;
    own.early_version = own.read_version;
  }
  own.read = now.access;
  own.read_op = now.op;
  own.has_read = true;
  own.sequence = now.thread.sequence;
  own.read_version = shared.version;
}

// Another thread has changed the structure since this iteration's last step.
void Detector::witness(const Shared& shared, const History& own, const Now& now) {
  if (own.iteration.clock == 0) return;
  for (const History& other : shared.histories) {
    if (&other == &own) continue;
    for (const Writes& theirs : other.sides) {
      if (theirs.last.clock == 0 || theirs.version <= own.iteration_version) continue;
      report({Kind::iteration,
              false,
              false,
              seen(now.access, own.slot, now.op),
              {},
              seen(theirs.last, other.slot, theirs.op)},
             now, true);
    }
  }
}

void Detector::write(Shared& shared, History& own, const Now& now) {
  for (const History& other : shared.histories) {
    if (&other != &own) write_against(other, own, now);
  }
  if (now.op != Op::advance && own.has_read) {
    close_pair(shared, own, now);
    close_early(shared, own, now);
  }
  own.has_read = false;
  own.early = {};
  Writes& side = own.side(now.op);
  side.last = now.access;
  side.op = now.op;
  side.version = ++shared.version;
  prune(shared, now);
}

// Two accesses of this thread and two of another one, of two variables of one object: do both
// threads use them together?
void Detector::note_half(const Now& now, const Seen& own, const Seen& other) {
  Half& half = now.thread.half;
  const Half& before = now.thread.half_before;
  const auto is_together = [](const Seen& a, const Seen& b) {
    return a.thread == b.thread && a.access.clock == b.access.clock &&
           a.access.stack == b.access.stack && a.access.site != b.access.site &&
           writes(a.op) == writes(b.op);
  };
  const bool goes_on = half.object == now.object.id && half.key == now.key &&
                       half.own.op == own.op && is_same(half.own.access, own.access);
  if (!goes_on) {
    now.thread.half_before = half;
    half = {now.object.id, now.key, own, {}, 0};
  }
  half.others[half.count++ % Half::kOthers] = other;
  if (before.object != now.object.id || before.key == now.key || !is_together(before.own, own)) {
    return;
  }
  for (std::uint32_t i = 0; i < std::min(before.count, Half::kOthers); ++i) {
    if (!is_together(before.others[i], other)) continue;
    report({Kind::pair, false, false, before.own, own, before.others[i], other}, now);
    return;
  }
}

// What the other thread did is not ordered before this write, which may come in its middle.
void Detector::write_against(const History& other, const History& own, const Now& now) {
  bool suspected = false;
  const Seen self = seen(now.access, own.slot, now.op);
  if (now.op == Op::advance) {
    const Writes& theirs = other.sides[static_cast<int>(Side::puts)];
    if (theirs.op == Op::advance && matters(theirs.last, other.slot, now, &suspected)) {
      report({Kind::advance, false, suspected, seen(theirs.last, other.slot, theirs.op), {}, self},
             now);
    }
    return;
  }
  if (is_unordered(other.read, other.slot, now)) {
    note_half(now, self, seen(other.read, other.slot, other.read_op));
  }
  if (matters(other.iteration, other.slot, now, &suspected)) {
    report({Kind::iteration,
            false,
            suspected,
            seen(other.iteration, other.slot, Op::iterate),
            {},
            self},
           now);
  }
  for (const Writes& theirs : other.sides) pair_against(theirs, other, self, now);
}

void Detector::pair_against(const Writes& theirs, const History& of, const Seen& self,
                            const Now& now) {
  bool suspected = false;
  const Clock written = theirs.pair_write.clock;
  const bool is_split = theirs.pair_is_split && written > now.thread.order.forced.of(of.slot);
  if (matters(theirs.pair_write, of.slot, now, &suspected) || is_split) {
    report({Kind::update, is_split, suspected && !is_split,
            seen(theirs.pair_read, of.slot, theirs.pair_read_op),
            seen(theirs.pair_write, of.slot, theirs.pair_op), self},
           now);
  }
  const bool has_early = theirs.early_read.clock != 0;
  if (has_early && written > now.thread.order.forced.of(of.slot)) {
    report({Kind::update, true, false, seen(theirs.early_read, of.slot, theirs.early_op),
            seen(theirs.pair_write, of.slot, theirs.pair_op), self,
            seen(theirs.pair_read, of.slot, theirs.pair_read_op)},
           now);
  }
  if (options_.publications && matters(theirs.last, of.slot, now, &suspected)) {
    report({Kind::publication, false, suspected, seen(theirs.last, of.slot, theirs.op), {}, self},
           now);
  }
}

// The write of a variable that this thread has read: did another thread's write come in between, or
// could it have? First of all one of the same side.
void Detector::close_pair(const Shared& shared, History& own, const Now& now) {
  const Pair pair{seen(own.read, own.slot, own.read_op),
                  seen(now.access, own.slot, now.op),
                  is_split(own.read, own.sequence, now.thread),
                  {}};
  const int same = static_cast<int>(side_of(now.op));
  if (!close_side(shared, own, now, pair, same)) close_side(shared, own, now, pair, 1 - same);
  Writes& side = own.side(now.op);
  side.pair_read = own.read;
  side.pair_read_op = own.read_op;
  side.pair_write = now.access;
  side.pair_op = now.op;
  side.pair_is_split = pair.is_split;
}

// The same for a read before the last one.
void Detector::close_early(const Shared& shared, History& own, const Now& now) {
  Writes& side = own.side(now.op);
  side.early_read = own.early;
  side.early_op = own.early_op;
  if (own.early.clock == 0) return;
  const std::uint32_t version = own.read_version;
  own.read_version = own.early_version;
  const Pair pair{seen(own.early, own.slot, own.early_op), seen(now.access, own.slot, now.op), true,
                  seen(own.read, own.slot, own.read_op)};
  const int same = static_cast<int>(side_of(now.op));
  if (!close_side(shared, own, now, pair, same)) close_side(shared, own, now, pair, 1 - same);
  own.read_version = version;
}

// Whether a write of this side was found.
bool Detector::close_side(const Shared& shared, const History& own, const Now& now,
                          const Pair& pair, int side) {
  std::uint32_t version = own.read_version;
  Seen between;
  Seen chance;
  for (const History& other : shared.histories) {
    const Writes& theirs = other.sides[side];
    if (&other == &own || theirs.last.clock == 0) continue;
    if (theirs.version > version) {
      version = theirs.version;
      between = seen(theirs.last, other.slot, theirs.op);
    }
    if (pair.is_split && theirs.last.clock > now.thread.order.forced.of(other.slot)) {
      chance = seen(theirs.last, other.slot, theirs.op);
    }
  }
  const Writes& before = own.sides[side];
  const Seen unordered{before.unordered, before.unordered_thread, before.unordered_op};
  const bool is_witnessed = between.access.clock != 0;
  for (const Seen& other : {between, unordered, chance}) {
    if (other.access.clock == 0) continue;
    report({Kind::update, pair.is_split, false, pair.read, pair.write, other, pair.again}, now,
           is_witnessed);
    return true;
  }
  return false;
}

// Histories of threads whose every access is ordered before this write say nothing any more.
void Detector::prune(Shared& shared, const Now& now) const {
  if (shared.histories.size() < 2) return;
  const auto is_over = [&now](const History& history) {
    if (history.slot == now.thread.slot) return false;
    const Clock last = std::max({history.read.clock, history.iteration.clock,
                                 history.sides[0].last.clock, history.sides[1].last.clock});
    return last <= now.thread.order.forced.of(history.slot);
  };
  auto& all = shared.histories;
  all.erase(std::remove_if(all.begin(), all.end(), is_over), all.end());
}

Seen Detector::seen(const Timed& access, Slot slot, Op op) const {
  return {access, threads_.serial(slot, access.clock), op};
}

void Detector::report(Candidate candidate, const Now& now, bool witnessed) {
  candidate.key = now.key;
  time(candidate, now);
  const std::uint64_t use = std::uint64_t{now.thread.serial} << 32 | now.thread.uses;
  const std::uint32_t number = candidates_.add(candidate, witnessed, use);
  if (number != Candidates::kKnown) now.thread.new_candidates.push_back(number);
}

// The time of the access that is made now is known; those before it were not timed when nothing was
// known of their places yet. The next time they are.
void Detector::time(Candidate& candidate, const Now& now) {
  for (Seen* each : {&candidate.first, &candidate.second, &candidate.other, &candidate.last}) {
    if (each->access.clock == 0) continue;
    timed_[each->access.site % kTimed].store(true, std::memory_order_relaxed);
    const bool is_now = each->thread == now.thread.serial && each->op == now.op &&
                        is_same(each->access, now.access);
    if (is_now && each->access.time_ns == 0) {
      each->access.time_ns = nanoseconds(CLOCK_MONOTONIC);
    }
  }
}

}  // namespace gilscope::races
