// What was found out of order. Whether it is a race worth a report depends on what the program does
// with what it reads, which its code says; that is decided later, and not here.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/races/clocks.hpp"

namespace gilscope::races {

// What is done to a variable. What follows `read` writes.
// `iterate` begins an iteration, `step` goes on with it.
enum class Op : std::uint8_t { read, iterate, step, store, add, remove, change, advance };
inline bool writes(Op op) { return op >= Op::store; }

enum class Kind : std::uint8_t {
  update,       // one thread read and wrote, another one wrote in between or unordered
  iteration,    // changed while an unordered iteration was open
  advance,      // one iterator, advanced by two threads
  publication,  // written and read, or written and written, without order
  pair,         // two variables written together, read together, without order
};

// An access as it is remembered.
struct Access {
  Clock clock = 0;  // 0: none
  std::uint32_t site = 0;
  std::uint32_t stack = 0;
  std::uint32_t locks = 0;
};

// An access of which the time may be known.
struct Timed : Access {
  std::uint64_t time_ns = 0;  // on CLOCK_MONOTONIC; 0: not known
};

struct Seen {
  Timed access;
  std::uint32_t thread = 0;  // serial
  Op op = Op::read;
};

// For `update`: `first` is the read, `second` the write of the same thread, `other` the write that
// came in between or is not ordered, and `last` a later read by the same thread as `first`, if the
// lock was given back between the two. For `pair`: `first` and `second` are one thread's accesses
// of two variables, `other` and `last` the other thread's. Else `first` and `other` alone.
struct Candidate {
  Kind kind = Kind::update;
  bool is_split = false;      // the lock that both held was given back in between
  bool is_suspected = false;  // ordered by chance in this run
  Seen first;
  Seen second;
  Seen other;
  Seen last;  // of a `pair`: what the other thread did to the second variable
  Key key = 0;
  std::uint64_t count = 0;      // accesses that completed it, each once
  std::uint64_t witnessed = 0;  // of these, how often the other write did come in between
  std::uint64_t use = 0;        // the access that was counted last, and as a witness
  std::uint64_t witness = 0;
};

// Every combination of places once. At most `kMost`; what comes later is counted only.
class Candidates {
 public:
  static constexpr std::size_t kMost = 20000;

  // The number of a candidate that was not known, else kKnown. `use` numbers the access that
  // completes it, which may do so against several threads; it counts once.
  static constexpr std::uint32_t kKnown = 0xFFFFFFFF;
  std::uint32_t add(const Candidate& candidate, bool witnessed, std::uint64_t use);

  std::vector<Candidate> all() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return list_;
  }
  std::uint64_t left_out() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return left_out_;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::uint32_t> places_;
  std::vector<Candidate> list_;
  std::uint64_t left_out_ = 0;
};

}  // namespace gilscope::races
