#include "cpython/races_session.hpp"

#include <pthread.h>

#include <utility>

namespace gilscope::races {
namespace {

struct Current {
  Thread* thread = nullptr;
  std::uint32_t session = 0;
};
__attribute__((tls_model("initial-exec"))) thread_local Current current;

std::atomic<std::uint32_t> sessions{0};

// Tells of threads that end, however they do.
const pthread_key_t end_key = [] {
  pthread_key_t made = 0;
  pthread_key_create(&made, [](void*) { Session::leave(); });
  return made;
}();

bool begins_with_any(const std::string& text, const std::vector<std::string>& beginnings) {
  for (const std::string& beginning : beginnings) {
    if (text.compare(0, beginning.size(), beginning) == 0) return true;
  }
  return false;
}

bool is_text(PyObject* text, const std::string& other) {
  const int is_same =
      PyUnicode_EqualToUTF8AndSize(text, other.data(), static_cast<Py_ssize_t>(other.size()));
  return is_same == 1;
}

std::uint64_t hash_of(const std::vector<Place>& places) {
  std::uint64_t hash = places.size();
  for (const Place& place : places) {
    hash ^= reinterpret_cast<std::uintptr_t>(place.code) + static_cast<std::uint64_t>(place.unit);
    hash *= 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash;
}

// Of the frames but the innermost one.
std::uint64_t hash_of(const Thread& thread) {
  std::uint64_t hash = thread.frame_count + 1;
  for (std::size_t i = 1; i < thread.frame_count; ++i) {
    for (const void* word : {thread.frames[i].code, thread.frames[i].instruction}) {
      hash = (hash ^ reinterpret_cast<std::uintptr_t>(word)) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 32;
    }
  }
  return hash;
}

}  // namespace

std::atomic<Session*> Session::active_{nullptr};
std::atomic<bool> Session::has_threads_{false};

Session::Session(const Options& options, PyObject* describe, std::vector<std::string> outside,
                 std::vector<std::string> inside)
    : detector_(options),
      number_(++sessions),
      describe_(Py_NewRef(describe)),
      outside_(std::move(outside)),
      inside_(std::move(inside)) {}

void Session::activate(Session* session) {
  if (session != nullptr) {
    session->enter({});
    if (current.thread != nullptr) session->base_ = current.thread->order;
  }
  active_.store(session, std::memory_order_release);
}

Thread* Session::thread() {
  if (current.session == number_) return current.thread;
  enter(base_);
  set_has_threads(true);
  return current.thread;
}

void Session::enter(const Order& from) {
  current.thread = detector_.threads().start(from, "");
  current.session = number_;
  pthread_setspecific(end_key, &current);
}

void Session::leave() {
  Session* session = active();
  const bool is_in = session != nullptr && current.session == session->number_;
  if (is_in && current.thread != nullptr) {
    session->native_thread_ended(pthread_self(), current.thread->order);
    session->detector_.threads().end(*current.thread);
    delete current.thread;
  }
  current = {};
}

bool Session::is_in_scope(const PyCodeObject* code) const {
  // File names may have bytes that no text has.
  const auto text_of = [](PyObject* text) {
    PyObject* found =
        PyUnicode_Check(text) ? PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass") : nullptr;
    if (found == nullptr) PyErr_Clear();
    std::string bytes(found != nullptr ? PyBytes_AS_STRING(found) : "");
    Py_XDECREF(found);
    return bytes;
  };
  const std::string file = text_of(code->co_filename);
  if (file.empty()) return false;
  // A single function of a file is named FILE:QUALIFIED NAME.
  return is_in_scope(file) || begins_with_any(file + ":" + text_of(code->co_qualname), inside_);
}

bool Session::is_in_scope(const std::string& path) const {
  return begins_with_any(path, inside_) || !begins_with_any(path, outside_);
}

void Session::keep(PyCodeObject* code) {
  if (!is_kept_.try_emplace(code, true).second) return;
  kept_.push_back(Py_NewRef(reinterpret_cast<PyObject*>(code)));
}

CodeTable* Session::add(PyCodeObject* code) {
  if (note_stored_names(code) < 0) return nullptr;
  std::unique_ptr<CodeTable> table = analyze(code, !planned_.empty(), has_runs());
  if (table == nullptr) return nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_code_.find(code);
  if (found != by_code_.end()) return found->second;
  table->first_site = next_site_;
  table->session = number_;
  next_site_ += static_cast<std::uint32_t>(table->instructions.size());
  keep(code);
  tables_.push_back(std::move(table));
  by_code_[code] = tables_.back().get();
  place_meetings(*tables_.back());
  return tables_.back().get();
}

void Session::plan(PlaceName place, std::size_t plan, Role role) {
  planned_.push_back({std::move(place), plan, role});
}

// Finds the places of the plans in a code object that is new.
void Session::place_meetings(const CodeTable& table) {
  for (const Planned& each : planned_) {
    const PlaceName& place = each.place;
    const auto unit = static_cast<std::size_t>(place.unit);
    if (table.code->co_firstlineno != place.first_line || unit >= table.instructions.size()) {
      continue;
    }
    if (is_text(table.code->co_filename, place.file) &&
        is_text(table.code->co_qualname, place.function)) {
      meetings_.place(table.first_site + static_cast<std::uint32_t>(unit), each.plan, each.role);
    }
  }
}

CodeTable* Session::table_of(PyCodeObject* code) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_code_.find(code);
  return found != by_code_.end() ? found->second : nullptr;
}

std::vector<PyCodeObject*> Session::codes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<PyCodeObject*> codes;
  codes.reserve(tables_.size());
  for (const auto& table : tables_) codes.push_back(table->code);
  return codes;
}

void Session::declare(ObjectId object) {
  const std::lock_guard<std::mutex> lock(mutex_);
  declared_[object] = true;
  has_declared_ = true;
}

void Session::alias(ObjectId dict, const Object& owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  aliases_[dict] = owner;
  has_aliases_ = true;
}

Object Session::aliased(PyObject* dict) {
  if (!has_aliases_.load(std::memory_order_relaxed)) return {};
  const ObjectId id = detector_.objects().find(dict).id;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = aliases_.find(id);
  return found != aliases_.end() ? found->second : Object{};
}

bool Session::follow(Thread& thread, PyObject* object) {
  if (!has_declared_.load(std::memory_order_relaxed)) return false;
  const ObjectId id = detector_.objects().find(object).id;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (declared_.find(id) == declared_.end()) return false;
  }
  detector_.synchronization().give(thread, id);
  thread.followed = id;
  thread.following = 16;
  return true;
}

void Session::go_on_following(Thread& thread) {
  --thread.following;
  detector_.synchronization().take(thread, thread.followed);
}

std::uint32_t Session::stack_of(Thread& thread, const void* frame) {
  static_assert(sizeof(RawFrame) == sizeof(gilscope_raw_frame));
  auto* frames = reinterpret_cast<gilscope_raw_frame*>(thread.frames);
  const bool is_known = thread.frame_count != 0 &&
                        gilscope_is_raw_stack(frame, frames, thread.frame_count, kMaxFrames) != 0;
  if (is_known) return thread.stack;
  thread.frame_count = gilscope_raw_stack(frame, frames, kMaxFrames);
  const std::uint64_t hash = hash_of(thread);
  KnownStack& known = thread.known_stacks[hash % kKnownStacks];
  if (known.hash != hash) known = {hash, number_stack(thread)};
  return thread.stack = known.number;
}

// The innermost frame is left out: its place is the access's own.
std::uint32_t Session::number_stack(Thread& thread) {
  std::vector<Place> places;
  for (std::size_t i = 1; i < thread.frame_count; ++i) {
    const RawFrame& raw = thread.frames[i];
    auto* code = const_cast<PyCodeObject*>(static_cast<const PyCodeObject*>(raw.code));
    // The interpreter's own, between a class and its __init__: nothing may ask for its
    // instructions.
    if ((code->co_flags & CO_NO_MONITORING_EVENTS) != 0) continue;
    places.push_back({code, gilscope_unit_of(raw.frame)});
  }
  const std::uint64_t hash = hash_of(places);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [first, last] = stack_numbers_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    const std::vector<Place>& other = stacks_[known->second];
    bool is_same = other.size() == places.size();
    for (std::size_t i = 0; is_same && i < places.size(); ++i) {
      is_same = other[i].code == places[i].code && other[i].unit == places[i].unit;
    }
    if (is_same) return known->second;
  }
  for (const Place& place : places) keep(place.code);
  const auto number = static_cast<std::uint32_t>(stacks_.size());
  stacks_.push_back(std::move(places));
  stack_numbers_.emplace(hash, number);
  return number;
}

std::vector<Place> Session::stack(std::uint32_t number) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return number < stacks_.size() ? stacks_[number] : std::vector<Place>();
}

Place Session::site(std::uint32_t number) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& table : tables_) {
    const std::uint32_t first = table->first_site;
    if (number >= first && number - first < table->instructions.size()) {
      return {table->code, static_cast<long>(number - first)};
    }
  }
  return {nullptr, -1};
}

void Session::note_lock(Synchronization::Id lock, const void* frame) {
  gilscope_raw_frame raw{};
  if (frame == nullptr || gilscope_raw_stack(frame, &raw, 1) == 0) return;
  auto* code = const_cast<PyCodeObject*>(static_cast<const PyCodeObject*>(raw.code));
  const long unit = gilscope_unit_of(frame);
  const std::lock_guard<std::mutex> guard(mutex_);
  if (by_code_.find(code) == by_code_.end()) return;
  lock_places_.try_emplace(lock, Place{code, unit});
}

std::vector<std::pair<Synchronization::Id, Place>> Session::lock_places() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {lock_places_.begin(), lock_places_.end()};
}

void Session::note_native(std::uint32_t site, const void* address) {
  const std::lock_guard<std::mutex> lock(mutex_);
  natives_.try_emplace(site, address);
}

const void* Session::native_at(std::uint32_t site) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = natives_.find(site);
  return found != natives_.end() ? found->second : nullptr;
}

void Session::native_thread_ended(unsigned long handle, const Order& order) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ended_[handle] = order;
}

bool Session::native_thread_joined(Thread& by, unsigned long handle) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = ended_.find(handle);
  if (found == ended_.end()) return false;
  by.order.join(found->second);
  ended_.erase(found);
  return true;
}

void Session::release_codes() {
  std::vector<PyObject*> kept;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    kept.swap(kept_);
    is_kept_.clear();
    by_code_.clear();
  }
  for (PyObject* code : kept) Py_DECREF(code);
  Py_CLEAR(describe_);
}

}  // namespace gilscope::races
