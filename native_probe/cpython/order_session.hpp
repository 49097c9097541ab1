// One watch for the order of locks: the recorder, and what it needs to know of the interpreter.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/order/recorder.hpp"

namespace gilscope::order {

// Where code is: an instruction of Python code that is kept, the same as text where no reference
// could be taken, or a return address of native code.
struct Place {
  PyCodeObject* code = nullptr;
  long unit = -1;  // in units of 2 bytes; kWhole: the function as a whole
  const void* address = nullptr;
  std::string file;
  std::string function;
  std::uint32_t line = 0;

  static constexpr long kWhole = -3;
};

class Session {
 public:
  Session();

  // The session that runs; nullptr: none. Sessions are never deleted: a thread may be in one.
  static Session* active() { return active_.load(std::memory_order_acquire); }
  static void activate(Session* session);
  // The process is a forked child, or the interpreter ends.
  static void abandon() { active_.store(nullptr, std::memory_order_release); }

  // The calling thread, which joins the session if it has not; nullptr in another interpreter than
  // the one that is watched.
  Thread* thread();
  void enter(const Point& from);
  static void leave();
  // A task that any thread of a pool could have got is a thread of its own: begin_task() returns
  // the pool's.
  Thread* begin_task(PyObject* task);
  static void end_task(Thread* pool_thread);

  Recorder& recorder() { return recorder_; }
  // Whether one thread at a time runs Python here.
  bool has_gil() const { return has_gil_; }
  // Whether the calling thread is attached: under the GIL it holds it then.
  static bool is_attached() { return PyThreadState_GetUnchecked() != nullptr; }

  // Where the calling thread runs Python; 0: it does not.
  PlaceId place(Thread& thread);
  PlaceId place_of(const void* return_address);
  // Where the function was called that the calling thread runs; 0: by nobody.
  PlaceId calling_place(Thread& thread);
  // Of the calling thread, native frames and Python's, the innermost first.
  StackId stack();
  // The same, short: where something is made. A thread state must be attached.
  StackId site();

  // What the calling thread is about to run: stands before its stack until it is nullptr again.
  static void set_callee(PyCodeObject* code);

  // Locks of which nothing is to be known: those that this code object makes.
  void ignore_made_by(PyCodeObject* code) { maker_of_ignored_ = code; }
  Kind kind_of_new(Kind kind) const;

  // The lock of a module that is imported.
  Lock* import_lock(Thread& thread, const char* name);

  // What is known of other objects: orders that they pass on, and what is waited for by them.
  Lock* resource(Thread& thread, PyObject* object, Kind kind, const Lock* like);
  // Before the first one of these, of any object: whether its end will be known. Runs no code.
  void watch_end(PyObject* object);
  void give(Thread& thread, PyObject* object, const void* item, bool each);
  void take(Thread& thread, PyObject* object, const void* item, bool each);
  void forget_object(const void* address);

  // Ended native threads by their handle.
  void native_thread_ended(unsigned long handle, const Point& point);
  void native_thread_joined(Thread& by, unsigned long handle);

  std::vector<Place> places() const;
  std::vector<std::vector<PlaceId>> stacks() const;
  void release_codes();

 private:
  // An object that orders threads.
  struct Object {
    PyObject* watcher = nullptr;                     // weak reference; its end is the object's
    std::map<const void*, std::deque<Point>> given;  // by item
  };
  PlaceId place_of_code(PyCodeObject* code, long unit);
  PlaceId place_of_frame(Thread* thread, const void* frame);
  PlaceId place_of_text(const void* frame);
  StackId number_stack(const std::vector<PlaceId>& stack);

  static std::atomic<Session*> active_;
  Recorder recorder_;
  const std::uint32_t number_;
  const PyInterpreterState* const interpreter_;
  const bool has_gil_;
  PyCodeObject* maker_of_ignored_ = nullptr;

  mutable std::mutex mutex_;
  std::vector<Place> places_{1};
  std::map<std::pair<const void*, long>, PlaceId> place_numbers_;
  std::map<std::string, PlaceId> text_numbers_;
  std::vector<std::vector<PlaceId>> stacks_{1};
  std::map<std::vector<PlaceId>, StackId> stack_numbers_;
  std::vector<PyObject*> kept_;
  std::unordered_map<unsigned long, Point> ended_;

  std::mutex objects_mutex_;
  std::unordered_map<const void*, Object> objects_;
  std::vector<PyObject*> watchers_;  // of objects that are gone
};

}  // namespace gilscope::order
