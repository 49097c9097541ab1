// What is remembered of each variable.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/races/candidates.hpp"
#include "core/races/objects.hpp"
#include "core/races/spin_lock.hpp"

namespace gilscope::races {

// Writes that take something away, and all others: a check that the one makes untrue still holds
// after the other.
enum class Side : std::uint8_t { puts, removes };
inline Side side_of(Op op) { return op == Op::remove ? Side::removes : Side::puts; }

// What one thread wrote, of one side.
struct Writes {
  Timed last;
  Timed pair_read;            // of the last write that followed a read: that read
  Timed pair_write;           // and that write
  Timed early_read;           // one before it, in an earlier critical section, see History
  Timed unordered;            // a write by another thread that the last read is not ordered after
  std::uint32_t version = 0;  // of the variable, after the last write
  std::uint32_t unordered_thread = 0;  // serial
  Op op = Op::store;
  Op pair_read_op = Op::read;
  Op early_op = Op::read;
  Op pair_op = Op::store;
  Op unordered_op = Op::store;
  bool pair_is_split = false;
};

// What one thread did to a variable.
struct History {
  Timed read;
  Timed early;                     // a read since the last write, in an earlier critical section
  Timed iteration;                 // the last step of an iteration
  std::uint32_t sequence = 0;      // the thread's at the last read
  std::uint32_t read_version = 0;  // of the variable, at the last read
  std::uint32_t iteration_version = 0;
  Slot slot = 0;
  Op read_op = Op::read;
  Op early_op = Op::read;
  std::uint32_t early_version = 0;
  bool has_read = false;  // since its last write
  Writes sides[2];

  Writes& side(Op op) { return sides[static_cast<int>(side_of(op))]; }
};

// A variable that threads use without order between them.
struct Shared {
  std::vector<History> histories;
  std::uint32_t version = 0;  // number of writes
};

// A variable as long as one thread at a time uses it: 64 bytes. Shared, it is a number.
struct Cell {
  Key key = 0;
  ObjectId object = 0;  // 0: free
  std::uint32_t sequence = 0;
  Access read;
  Access write;
  std::uint32_t pair_site = 0;
  std::uint32_t pair_stack = 0;
  std::uint32_t pair_locks = 0;
  Slot slot = 0;
  std::uint8_t ops = 0;  // of the read; 4 bits above, of the write
  std::uint8_t flags = 0;

  static constexpr std::uint8_t kHasRead = 1;  // since the last write
  static constexpr std::uint8_t kHasPair = 2;
  static constexpr std::uint8_t kPairIsSplit = 4;
  static constexpr std::uint8_t kIsShared = 8;
  static constexpr std::uint8_t kIsUsed = 16;
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  void set(std::uint8_t flag, bool on) {
    flags = static_cast<std::uint8_t>(on ? flags | flag : flags & ~flag);
  }
  Op read_op() const { return static_cast<Op>(ops & 15); }
  Op write_op() const { return static_cast<Op>(ops >> 4); }
  void set_read_op(Op op) { ops = static_cast<std::uint8_t>((ops & 0xF0) | static_cast<int>(op)); }
  void set_write_op(Op op) {
    ops = static_cast<std::uint8_t>((ops & 15) | static_cast<int>(op) << 4);
  }
  std::uint32_t& shared() { return pair_site; }
};
static_assert(sizeof(Cell) == 64);

// Variables whose hash falls together. Whoever uses one holds its lock.
class Stripe {
 public:
  SpinLock lock;

  // The variable's cell, a new one if it has none. Valid until the next call.
  Cell& find(ObjectId object, Key key, std::uint64_t hash, const Objects& objects,
             std::size_t most);
  Shared& shared(Cell& cell) { return *shared_[cell.shared()]; }
  // Makes it a shared one, without histories.
  Shared& share(Cell& cell);

  std::size_t size() const { return used_; }
  std::uint64_t given_up() const { return given_up_; }

 private:
  void make_room(const Objects& objects, std::size_t most);
  void purge_dead(const Objects& objects);
  void give_up_oldest();
  void rebuild(std::size_t capacity);
  Cell* place_of(ObjectId object, Key key, std::uint64_t hash);
  void drop(Cell& cell);

  std::vector<Cell> cells_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<Shared>> shared_;
  std::vector<std::uint32_t> free_;
  std::uint64_t given_up_ = 0;
};

class Shadow {
 public:
  explicit Shadow(std::size_t max_variables) : most_(max_variables / kStripes + 1) {}

  static std::uint64_t hash(ObjectId object, Key key) {
    std::uint64_t x = key ^ std::uint64_t{object} * 0x9E3779B97F4A7C15u;
    x ^= x >> 31;
    x *= 0xE7037ED1A0B428DBu;
    return x ^ x >> 29;
  }
  Stripe& stripe(std::uint64_t hash) { return stripes_[hash >> 56]; }
  std::size_t most() const { return most_; }

  std::size_t variables() const;
  std::uint64_t given_up() const;

 private:
  static constexpr std::size_t kStripes = 256;
  std::array<Stripe, kStripes> stripes_;
  const std::size_t most_;  // in a stripe
};

}  // namespace gilscope::races
