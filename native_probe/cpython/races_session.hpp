// One watch for races: the detector, and what it needs to know of the interpreter.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/races/detector.hpp"
#include "core/races/meetings.hpp"
#include "cpython/races_code.hpp"
#include "cpython/races_frames.h"

namespace gilscope::races {

// A place in the program.
struct Place {
  PyCodeObject* code;
  long unit;  // instruction, in units of 2 bytes
};

// The same in another process of the same program.
struct PlaceName {
  std::string file;
  std::string function;  // qualified
  int first_line;
  long unit;
};

class Session {
 public:
  Session(const Options& options, PyObject* describe, std::vector<std::string> outside,
          std::vector<std::string> inside);

  // The session that runs; nullptr: none. Sessions are never deleted while a thread may be in one.
  static Session* active() { return active_.load(std::memory_order_acquire); }
  static void activate(Session* session);
  // The interpreter ends, or the process is a forked child: the session is left as it is.
  static void abandon() { active_.store(nullptr, std::memory_order_release); }

  // Whether there is more than one thread; what is done before needs no watching.
  static bool has_threads() { return has_threads_.load(std::memory_order_relaxed); }
  static void set_has_threads(bool has) { has_threads_.store(has, std::memory_order_relaxed); }

  // The calling thread, which joins the session if it has not; nullptr: it cannot.
  Thread* thread();
  // The same for a thread whose maker is known.
  void enter(const Order& from);
  // The calling thread ends.
  static void leave();

  Detector& detector() { return detector_; }
  std::uint32_t number() const { return number_; }
  // Whether runs of instructions have one event. Where threads are held each needs its own.
  bool has_runs() const { return !detector_.options().locks_shadow && planned_.empty(); }
  PyObject* describe() const { return describe_; }

  // Whether the program's own code is in this file.
  bool is_in_scope(const PyCodeObject* code) const;
  bool is_in_scope(const std::string& path) const;
  // The table of a code object that is watched from now on; an exception is set when it is nullptr.
  CodeTable* add(PyCodeObject* code);
  CodeTable* table_of(PyCodeObject* code) const;
  std::vector<PyCodeObject*> codes() const;

  // Objects that order threads in a way that cannot be seen: whoever calls a method of one knows of
  // what those did who called one before. The call is over some events after it was prepared.
  void declare(ObjectId object);
  bool follow(Thread& thread, PyObject* object);
  bool has_declared() const { return has_declared_.load(std::memory_order_relaxed); }
  void go_on_following(Thread& thread);

  // The items of this dict are the attributes of the object.
  void alias(ObjectId dict, const Object& owner);
  Object aliased(PyObject* dict);

  // Whether one more thread may rest, see rests::took.
  bool take_rest() { return rests_.fetch_add(1, std::memory_order_relaxed) < kMostRests; }

  // Threads that are held where a race is to be made happen. Before anything is watched.
  Meetings& meetings() { return meetings_; }
  const Meetings& meetings() const { return meetings_; }
  void plan(PlaceName place, std::size_t plan, Role role);

  std::uint32_t stack_of(Thread& thread, const void* frame);
  std::vector<Place> stack(std::uint32_t number) const;
  Place site(std::uint32_t number) const;

  // Where each lock was first acquired, as far as the program's own code did it.
  void note_lock(Synchronization::Id lock, const void* frame);
  std::vector<std::pair<Synchronization::Id, Place>> lock_places() const;

  // Native code that did what is done at a site.
  void note_native(std::uint32_t site, const void* address);
  const void* native_at(std::uint32_t site) const;

  // Orders that thread objects and the like pass on; ended native threads by their handle.
  void native_thread_ended(unsigned long handle, const Order& order);
  bool native_thread_joined(Thread& by, unsigned long handle);

  // Frees the code objects that it keeps. No thread is inside any more.
  void release_codes();

 private:
  std::uint32_t number_stack(Thread& thread);
  void keep(PyCodeObject* code);
  void place_meetings(const CodeTable& table);

  static std::atomic<Session*> active_;
  static std::atomic<bool> has_threads_;

  Detector detector_;
  const std::uint32_t number_;
  PyObject* describe_;
  const std::vector<std::string> outside_;
  const std::vector<std::string> inside_;
  Order base_;  // of threads of whose beginning nothing is known

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<CodeTable>> tables_;
  std::unordered_map<PyCodeObject*, CodeTable*> by_code_;
  std::vector<PyObject*> kept_;
  std::unordered_map<PyCodeObject*, bool> is_kept_;
  std::uint32_t next_site_ = 1;
  std::vector<std::vector<Place>> stacks_{1};
  std::unordered_multimap<std::uint64_t, std::uint32_t> stack_numbers_;
  std::unordered_map<Synchronization::Id, Place> lock_places_;
  std::unordered_map<unsigned long, Order> ended_;
  std::unordered_map<std::uint32_t, const void*> natives_;
  std::unordered_map<ObjectId, bool> declared_;
  std::atomic<bool> has_declared_{false};
  std::unordered_map<ObjectId, Object> aliases_;
  std::atomic<bool> has_aliases_{false};
  static constexpr std::uint32_t kMostRests = 50;  // of all threads: one second
  std::atomic<std::uint32_t> rests_{0};

  struct Planned {
    PlaceName place;
    std::size_t plan;
    Role role;
  };
  Meetings meetings_;
  std::vector<Planned> planned_;
};

// What an operation of the detector that is under way in this thread must not lead to another one
// of.
class Inside {
 public:
  explicit Inside(Thread* thread)
      : thread_(thread != nullptr && !thread->is_inside ? thread : nullptr) {
    if (thread_ != nullptr) thread_->is_inside = true;
  }
  ~Inside() {
    if (thread_ != nullptr) thread_->is_inside = false;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  explicit operator bool() const { return thread_ != nullptr; }

 private:
  Thread* thread_;
};

}  // namespace gilscope::races
