#include "cpython/order_session.hpp"

#include <pthread.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/native_stack.hpp"
#include "cpython/frames.h"
#include "cpython/layout.h"
#include "cpython/races_frames.h"

namespace gilscope::order {
namespace {

struct Current {
  Thread* thread = nullptr;
  std::uint32_t session = 0;
};
__attribute__((tls_model("initial-exec"))) thread_local Current current;

__attribute__((tls_model("initial-exec"))) thread_local PyCodeObject* callee = nullptr;

std::atomic<std::uint32_t> sessions{0};

constexpr std::size_t kFrames = 24;
constexpr std::size_t kSiteFrames = 8;
constexpr std::uintptr_t kResourceBit = std::uintptr_t{1} << 63U;  // no address of an object has it

const pthread_key_t end_key = [] {
  pthread_key_t made = 0;
  pthread_key_create(&made, [](void*) { Session::leave(); });
  return made;
}();

StackId take_stack() {
  Session* session = Session::active();
  return session != nullptr ? session->stack() : 0;
}

std::string text_of(const void* string) {
  char buffer[1024];
  std::size_t length = 0;
  const char* text =
      string != nullptr ? gilscope_text(string, buffer, sizeof buffer, &length) : nullptr;
  return text != nullptr ? std::string(text, length) : std::string();
}

}  // namespace

std::atomic<Session*> Session::active_{nullptr};

Session::Session()
    : recorder_(take_stack),
      number_(++sessions),
      interpreter_(PyInterpreterState_Get()),
      has_gil_(gilscope_is_free_threaded() == 0) {}

void Session::activate(Session* session) {
  if (session != nullptr) session->enter({});
  active_.store(session, std::memory_order_release);
}

Thread* Session::thread() {
  // References are kept, and an interpreter that ends takes its objects along.
  const PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && state->interp != interpreter_) return nullptr;
  if (current.session != number_) enter({});
  return current.thread;
}

void Session::enter(const Point& from) {
  current.thread = recorder_.start(from);
  current.session = number_;
  pthread_setspecific(end_key, &current);
}

void Session::leave() {
  Session* session = active();
  if (session != nullptr && current.session == session->number_) {
    Thread& thread = *current.thread;
    const Inside inside(&thread);
    if (inside) {
      thread.has_ended = true;
      Lock* end = session->recorder_.find(thread, pthread_self(), Kind::thread);
      Recorder::provide(thread, end);
      session->native_thread_ended(pthread_self(), Recorder::tell(thread));
    }
  }
  current = {};
}

Thread* Session::begin_task(PyObject* task) {
  Thread* pool_thread = thread();
  Thread* fresh = recorder_.start({});
  fresh->part.name = pool_thread->part.name;
  take(*fresh, task, nullptr, false);
  current.thread = fresh;
  return pool_thread;
}

void Session::end_task(Thread* pool_thread) { current.thread = pool_thread; }

// --- Places --------------------------------------------------------------------------------------

PlaceId Session::place(Thread& thread) {
  const void* frame = gilscope_running_frame();
  return frame != nullptr ? place_of_frame(&thread, frame) : 0;
}

PlaceId Session::calling_place(Thread& thread) {
  gilscope_raw_frame frames[2];
  const std::size_t depth = gilscope_raw_stack(gilscope_running_frame(), frames, 2);
  return depth == 2 ? place_of_frame(&thread, frames[1].frame) : 0;
}

PlaceId Session::place_of_frame(Thread* thread, const void* frame) {
  gilscope_raw_frame raw{};
  if (gilscope_raw_stack(frame, &raw, 1) == 0) return 0;
  Thread::RecentPlace* recent = nullptr;
  if (thread != nullptr) {
    const auto at = reinterpret_cast<std::uintptr_t>(raw.instruction);
    recent = &thread->places[(at >> 1U ^ at >> 9U) % Thread::kRecent];
    if (recent->code == raw.code && recent->instruction == raw.instruction) return recent->place;
  }
  auto* code = const_cast<PyCodeObject*>(static_cast<const PyCodeObject*>(raw.code));
  const PlaceId place = place_of_code(code, gilscope_unit_of(frame));
  if (recent != nullptr) *recent = {raw.code, raw.instruction, place};
  return place;
}

PlaceId Session::place_of_code(PyCodeObject* code, long unit) {
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto [number, is_new] =
      place_numbers_.try_emplace({code, unit}, static_cast<PlaceId>(places_.size()));
  if (is_new) {
    Place made;
    made.code = code;
    made.unit = unit;
    places_.push_back(std::move(made));
    kept_.push_back(Py_NewRef(reinterpret_cast<PyObject*>(code)));
  }
  return number->second;
}

void Session::set_callee(PyCodeObject* code) { callee = code; }

PlaceId Session::place_of(const void* return_address) {
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto [number, is_new] =
      place_numbers_.try_emplace({return_address, -2}, static_cast<PlaceId>(places_.size()));
  if (is_new) {
    Place made;
    made.address = return_address;
    places_.push_back(std::move(made));
  }
  return number->second;
}

// No reference can be taken by a thread that is not attached.
PlaceId Session::place_of_text(const void* frame) {
  gilscope_place found{};
  if (gilscope_place_of(frame, &found) == 0) return 0;
  Place made;
  made.file = text_of(found.file);
  made.function = text_of(found.name);
  made.line = found.line;
  const std::string key = made.file + ':' + std::to_string(made.line) + ':' + made.function;
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto [number, is_new] =
      text_numbers_.try_emplace(key, static_cast<PlaceId>(places_.size()));
  if (is_new) places_.push_back(std::move(made));
  return number->second;
}

StackId Session::number_stack(const std::vector<PlaceId>& stack) {
  if (stack.empty()) return 0;
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto [number, is_new] =
      stack_numbers_.try_emplace(stack, static_cast<StackId>(stacks_.size()));
  if (is_new) stacks_.push_back(stack);
  return number->second;
}

StackId Session::stack() {
  std::vector<PlaceId> places;
  const void* addresses[kFrames];
  const std::size_t count = native_stack::capture(__builtin_frame_address(0), addresses, kFrames);
  if (callee != nullptr) places.push_back(place_of_code(callee, Place::kWhole));
  for (std::size_t i = 0; i < count; ++i) places.push_back(place_of(addresses[i]));
  if (is_attached()) {
    gilscope_raw_frame frames[kFrames];
    const std::size_t depth = gilscope_raw_stack(gilscope_running_frame(), frames, kFrames);
    for (std::size_t i = 0; i < depth; ++i) {
      places.push_back(place_of_frame(nullptr, frames[i].frame));
    }
    return number_stack(places);
  }
  int watched = 0;
  const void* frame = gilscope_innermost_frame(&watched);
  for (std::size_t i = 0; frame != nullptr && i < kFrames; ++i) {
    if (const PlaceId place = place_of_text(frame)) places.push_back(place);
    frame = gilscope_calling_frame(frame);
  }
  return number_stack(places);
}

StackId Session::site() {
  std::vector<PlaceId> places;
  gilscope_raw_frame frames[kSiteFrames];
  const std::size_t depth = gilscope_raw_stack(gilscope_running_frame(), frames, kSiteFrames);
  places.reserve(depth);
  for (std::size_t i = 0; i < depth; ++i) {
    places.push_back(place_of_frame(nullptr, frames[i].frame));
  }
  return number_stack(places);
}

Kind Session::kind_of_new(Kind kind) const {
  gilscope_raw_frame raw{};
  const void* frame = gilscope_running_frame();
  if (frame == nullptr || gilscope_raw_stack(frame, &raw, 1) == 0) return kind;
  return raw.code == maker_of_ignored_ ? Kind::ignored : kind;
}

std::vector<Place> Session::places() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return places_;
}

std::vector<std::vector<PlaceId>> Session::stacks() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return stacks_;
}

void Session::release_codes() {
  std::vector<PyObject*> kept;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    kept.swap(kept_);
  }
  {
    const std::lock_guard<std::mutex> guard(objects_mutex_);
    kept.insert(kept.end(), watchers_.begin(), watchers_.end());
    for (const auto& [address, known] : objects_) kept.push_back(known.watcher);
    watchers_.clear();
    objects_.clear();
  }
  for (PyObject* each : kept) Py_XDECREF(each);
}

// --- Objects that order threads ------------------------------------------------------------------

namespace {

PyObject* object_ended(PyObject* address, PyObject*) {
  if (Session* session = Session::active()) session->forget_object(PyLong_AsVoidPtr(address));
  Py_RETURN_NONE;
}

PyMethodDef object_ended_definition = {"object_ended", object_ended, METH_O, nullptr};

}  // namespace

// An object that takes no weak references is never forgotten.
void Session::watch_end(PyObject* thing) {
  {
    const std::lock_guard<std::mutex> guard(objects_mutex_);
    if (objects_.find(thing) != objects_.end()) return;
  }
  PyObject* watcher = nullptr;
  if (PyType_SUPPORTS_WEAKREFS(Py_TYPE(thing))) {
    PyObject* address = PyLong_FromVoidPtr(thing);
    PyObject* ended = PyCFunction_New(&object_ended_definition, address);
    watcher = ended != nullptr ? PyWeakref_NewRef(thing, ended) : nullptr;
    Py_XDECREF(ended);
    Py_XDECREF(address);
  }
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  const std::lock_guard<std::mutex> guard(objects_mutex_);
  Object& known = objects_[thing];
  if (known.watcher != nullptr) watchers_.push_back(known.watcher);
  known.watcher = watcher;
}

void Session::forget_object(const void* address) {
  const std::lock_guard<std::mutex> guard(objects_mutex_);
  const auto found = objects_.find(address);
  if (found != objects_.end()) {
    watchers_.push_back(found->second.watcher);
    objects_.erase(found);
  }
  recorder_.forget(reinterpret_cast<std::uintptr_t>(address) | kResourceBit);
}

Lock* Session::import_lock(Thread& thread, const char* name) {
  const std::uintptr_t address = std::hash<std::string>()(name) | kResourceBit | 1U;
  Lock* lock = recorder_.find(thread, address, Kind::import);
  if (lock->info.name.empty()) lock->info.name = name;
  return lock;
}

Lock* Session::resource(Thread& thread, PyObject* thing, Kind kind, const Lock* like) {
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(thing) | kResourceBit;
  Lock* found = recorder_.find(thread, address, kind);
  if (kind != Kind::condition && found->info.kind == Kind::condition) found->info.kind = kind;
  if (like != nullptr) {
    found->info.site = like->info.site;
    found->info.guard = like->id.load(std::memory_order_relaxed);
  }
  return found;
}

void Session::give(Thread& thread, PyObject* thing, const void* item, bool each) {
  constexpr std::size_t kMost = 10000;  // items that nobody takes
  const Point told = Recorder::tell(thread);
  const std::lock_guard<std::mutex> guard(objects_mutex_);
  std::deque<Point>& points = objects_[thing].given[item];
  if (!each) {
    const auto same = std::find_if(points.begin(), points.end(), [&told](const Point& point) {
      return point.serial == told.serial;
    });
    if (same != points.end()) points.erase(same);
  }
  points.push_back(told);
  if (points.size() > kMost) points.pop_front();
}

void Session::take(Thread& thread, PyObject* thing, const void* item, bool each) {
  const std::lock_guard<std::mutex> guard(objects_mutex_);
  const auto known = objects_.find(thing);
  if (known == objects_.end()) return;
  const auto given = known->second.given.find(item);
  if (given == known->second.given.end()) return;
  std::deque<Point>& points = given->second;
  if (!each) {
    for (const Point& point : points) Recorder::learn(thread, point);
    return;
  }
  if (!points.empty()) {
    Recorder::learn(thread, points.front());
    points.pop_front();
  }
  if (points.empty()) known->second.given.erase(given);
}

void Session::native_thread_ended(unsigned long handle, const Point& point) {
  const std::lock_guard<std::mutex> guard(mutex_);
  ended_[handle] = point;
}

void Session::native_thread_joined(Thread& by, unsigned long handle) {
  Point point;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto found = ended_.find(handle);
    if (found == ended_.end()) return;
    point = found->second;
    ended_.erase(found);
  }
  Recorder::learn(by, point);
}

}  // namespace gilscope::order
