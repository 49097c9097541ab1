// What is kept of who asked for which lock while holding which: the lock-order graph of one run,
// one part a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gilscope::order {

using LockId = std::uint32_t;  // of one lock, or of something else that is waited for; never reused
using Serial = std::uint32_t;  // of a thread; never reused
using PlaceId = std::uint32_t;  // where code is; 0 unknown
using StackId = std::uint32_t;  // 0 none

enum class Kind : std::uint8_t {
  lock,
  rlock,
  mutex,
  rwlock,
  gil,
  import,
  loader,   // the dynamic loader's
  guard,    // of the static of a C++ function, while it is initialised
  once,     // of pthread_once() and std::call_once()
  section,  // critical section of an object: not held while its thread is detached
  // Waited for without being locks: other threads bring them about.
  condition,
  event,
  queue_put,
  queue_get,
  queue_join,
  semaphore,
  barrier,
  future,
  thread,
  // Of the interpreter's own bookkeeping: they pass signals on, and are in no order.
  ignored,
};

// How a thread asks.
enum class Mode : std::uint8_t { blocking, timed, attempt };

// What a thread knows of the others: how far each of them had got, by serial.
using Known = std::shared_ptr<const std::vector<std::uint32_t>>;

// A stretch of a thread's life in which it learns nothing of others, and they nothing new of it.
struct Point {
  Serial serial = 0;
  std::uint32_t clock = 0;
  Known known;

  bool is_same(const Point& other) const {
    return serial == other.serial && clock == other.clock && known == other.known;
  }
};

struct Gate {
  LockId id;
  bool shared;
};

struct EdgeKey {
  LockId held;
  PlaceId held_at;
  LockId asked;
  PlaceId asked_at;
  std::uint64_t gates;  // hash of all that is held, and of the modes
  bool operator==(const EdgeKey& other) const {
    return held == other.held && held_at == other.held_at && asked == other.asked &&
           asked_at == other.asked_at && gates == other.gates;
  }
};

struct EdgeHash {
  std::size_t operator()(const EdgeKey& key) const {
    std::uint64_t hash = key.gates;
    for (const std::uint32_t part : {key.held, key.held_at, key.asked, key.asked_at}) {
      hash = (hash ^ part) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29U;
    }
    return hash;
  }
};

// The first stretches and the last ones: between them lie more of the same.
class Points {
 public:
  void add(const Point& point) {
    if (points_.size() < kMost) {
      if (points_.empty() || !points_.back().is_same(point)) points_.push_back(point);
      return;
    }
    const Point& last = points_[latest_];
    if (last.is_same(point)) return;
    latest_ = latest_ + 1 < kMost ? latest_ + 1 : kMost / 2;
    points_[latest_] = point;
  }
  const std::vector<Point>& all() const { return points_; }

 private:
  static constexpr std::size_t kMost = 32;
  std::vector<Point> points_;
  std::size_t latest_ = kMost - 1;
};

// A thread held one lock and asked for another one.
struct Edge {
  EdgeKey key;
  Mode mode = Mode::blocking;
  bool held_shared = false;
  bool asked_shared = false;
  bool gil_is_gate = false;  // it was held all the time
  bool attached = false;     // the thread asks without detaching: critical sections stay held
  StackId stack = 0;
  std::uint64_t count = 0;
  std::vector<Gate> gates;  // what was held besides
  Points points;
};

// A thread had to pass this lock before all that it did afterwards.
struct Passed {
  LockId lock = 0;
  bool shared = false;
  StackId stack = 0;
  struct Time {
    std::uint32_t sequence;  // of the thread's passes and provisions
    Point point;
    std::vector<Gate> gates;
  };
  std::vector<Time> times;  // one a stretch
};

// A thread waited for something, or brought it about.
struct Times {
  std::uint64_t count = 0;
  std::uint32_t last = 0;                // sequence
  std::vector<std::uint32_t> sequences;  // of the first ones

  void add(std::uint32_t sequence) {
    constexpr std::size_t kMost = 64;
    ++count;
    last = sequence;
    if (sequences.size() < kMost) sequences.push_back(sequence);
  }
};

// What is known of a lock when it is gone.
struct LockInfo {
  Kind kind = Kind::ignored;
  StackId site = 0;  // where it was made, else where it was first used
  std::uintptr_t address = 0;
  std::uint64_t capacity = 0;  // of a queue or a semaphore
  bool renewed = false;        // an event that was cleared, a lock that its holder gave back
  LockId guard = 0;            // the lock of a condition
  std::string name;            // of the module, for locks of the import system
};

struct ThreadPart {
  std::string name;
  std::vector<Edge> edges;
  std::vector<Passed> passed;
  std::unordered_map<LockId, Times> provided;
  std::unordered_map<LockId, Times> waits;
  std::uint64_t left_out = 0;
  // Of the GIL, by native code when all exit handlers had run.
  std::uint64_t late_requests = 0;
  StackId late_stack = 0;  // of the first one
};

}  // namespace gilscope::order
