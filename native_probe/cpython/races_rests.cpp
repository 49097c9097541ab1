#include "cpython/races_rests.hpp"

#include <time.h>

namespace gilscope::races::rests {
namespace {

constexpr std::uint32_t kMost = 4;  // of one thread
constexpr long kLengthNs = 20'000'000;
// A thread that takes in code that does not count is looked at so often.
constexpr std::uint32_t kMostLooks = 1000;

void rest(Session& session, Thread& thread) {
  thread.rests_soon = false;
  if (!session.take_rest()) return;
  ++thread.rests;
  const timespec length{0, kLengthNs};
  Py_BEGIN_ALLOW_THREADS;
  nanosleep(&length, nullptr);
  Py_END_ALLOW_THREADS;
}

// Whether others may take from it as well: what a thread has made for itself is its own.
bool is_of_others(Session& session, const Thread& thread, PyObject* container) {
  const Object object = session.detector().objects().find(container);
  // Of what was made before the second thread started, the first one is the maker.
  return object.created != 0 ? object.creator != thread.slot : thread.serial != 0;
}

bool is_program(const Session& session) {
  gilscope_raw_frame caller{};
  if (gilscope_raw_stack(gilscope_running_frame(), &caller, 1) == 0) return false;
  auto* code = static_cast<PyCodeObject*>(const_cast<void*>(caller.code));
  return session.table_of(code) != nullptr;
}

}  // namespace

void took(Session& session, Thread& thread, PyObject* container) {
  if (thread.rests >= kMost || !is_of_others(session, thread, container)) return;
  thread.rests_soon = true;
  released(session, thread);
}

void took_in_program(Session& session, Thread& thread, PyObject* container) {
  if (thread.rests >= kMost || thread.rest_looks >= kMostLooks) return;
  if (!is_of_others(session, thread, container)) return;
  ++thread.rest_looks;
  if (is_program(session)) took(session, thread, container);
}

void released(Session& session, Thread& thread) {
  if (thread.rests_soon && thread.held.empty()) rest(session, thread);
}

}  // namespace gilscope::races::rests
