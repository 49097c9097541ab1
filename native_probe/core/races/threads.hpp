// The threads of the program, and what each of them knows of the others.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/races/candidates.hpp"
#include "core/races/clocks.hpp"

namespace gilscope::races {

// A lock that a thread holds.
struct Held {
  std::uint64_t lock;
  std::uint32_t since;  // the thread's `sequence` when it was acquired
  std::uint32_t depth;
};

// One frame of a stack, as raw as it can be read: the code object and the next instruction.
struct RawFrame {
  const void* frame;
  const void* code;
  const void* instruction;
};
inline constexpr std::size_t kMaxFrames = 24;

// The number of a stack that the thread has had; its frames' code objects and instructions make the
// hash, of 64 bits.
struct KnownStack {
  std::uint64_t hash = 0;
  std::uint32_t number = 0;
};
inline constexpr std::size_t kKnownStacks = 256;

// An access that changes nothing when it is repeated, as long as no other thread comes to the
// variable.
struct Recent {
  Key key = 0;
  const void* frame = nullptr;
  ObjectId object = 0;
  std::uint32_t site = 0;
  Clock clock = 0;
  std::uint32_t sequence = 0;
  std::uint32_t taken = 0;  // the thread's then, see Detector
  Op op = Op::read;
};
inline constexpr std::size_t kRecent = 512;

// One of two variables that may belong together: an access of this thread, and the latest of those
// of other threads that it is not ordered with.
struct Half {
  static constexpr std::uint32_t kOthers = 4;
  ObjectId object = 0;
  Key key = 0;
  Seen own;
  Seen others[kOthers];
  std::uint32_t count = 0;  // of others, those that were overwritten included
};

struct Thread {
  Slot slot = 0;
  std::uint32_t serial = 0;    // never used again, unlike the slot
  Clock clock = 1;             // what `order` has for the own slot
  Clock used = 0;              // its clock at its last access
  std::uint32_t sequence = 1;  // moves on with every lock that is acquired
  Order order;
  std::vector<Held> held;
  std::vector<Held> given_up;  // wholly, to be acquired again
  std::uint32_t lockset = 0;   // number of the set of locks in `held`, see Synchronization::lockset
  std::uint32_t signals = 0;   // how many signals were known when it was numbered
  bool is_numbered = true;     // whether `lockset` is that of `held`
  std::uint32_t uses = 0;      // accesses to what threads share, see Candidates::add
  bool is_inside = false;      // in the detector: what happens meanwhile is the detector's own
  bool has_ended = false;
  std::vector<std::uint32_t> new_candidates;  // to be described, see Candidates

  // The stack that was numbered last: most accesses come from the same one.
  RawFrame frames[kMaxFrames];
  std::size_t frame_count = 0;
  std::uint32_t stack = 0;

  KnownStack known_stacks[kKnownStacks];

  Recent recent[kRecent];
  Recent& recent_of(std::uint32_t site, Key key) {
    return recent[(site * Key{31} ^ key ^ key >> 17) % kRecent];
  }

  // How often it has rested, been looked at for that, and whether it is to rest when it holds no
  // lock.
  std::uint32_t rests = 0;
  std::uint32_t rest_looks = 0;
  bool rests_soon = false;

  // What it has just called a method of, as long as that may last, see Session::follow.
  std::uint64_t followed = 0;
  std::uint32_t following = 0;

  // The latest access out of order, and the one before it, see Detector::note_half.
  Half half;
  Half half_before;

  // What others learn from now on is not what they learnt before.
  void advance() {
    ++clock;
    order.full.set(slot, clock);
    order.forced.set(slot, clock);
  }
};

// All threads of a session. Slots are used again where that cannot be told from the same thread
// going on: by a thread that is started after its predecessor's end is known.
class Threads {
 public:
  // What a thread that is started by `parent` begins with; nullptr: nobody is known to have started
  // it.
  static Order fork(Thread* parent);
  // Called by the thread itself.
  Thread* start(const Order& from, std::string name);
  void end(Thread& thread);
  void name(const Thread& thread, std::string name);

  // Whether more threads than one can be running, as far as `thread` can know.
  bool is_alone(const Thread& thread) const;
  // Number of the thread that used the slot at that time.
  std::uint32_t serial(Slot slot, Clock clock) const;
  std::string name_of(std::uint32_t serial) const;
  std::uint32_t tid_of(std::uint32_t serial) const;  // the kernel's
  std::size_t count() const;

  // More than this at once are not followed.
  static constexpr std::size_t kMaxSlots = 60000;

 private:
  struct Use {
    std::uint32_t serial;
    Clock begin;
  };
  struct Place {
    std::vector<Use> uses;
    Clock last = 0;  // when it was last used
    Clock next = 1;  // where the next user begins
    bool is_free = false;
  };
  Slot take_slot(const Order& from);

  mutable std::mutex mutex_;
  std::vector<Place> places_;
  std::vector<Slot> free_;
  std::vector<std::string> names_;  // by serial
  std::vector<std::uint32_t> tids_;
};

}  // namespace gilscope::races
