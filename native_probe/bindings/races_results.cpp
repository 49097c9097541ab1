#include "bindings/races_results.hpp"

#include <dlfcn.h>

#include <string>
#include <vector>

#include "core/loader_call.hpp"

namespace gilscope::races::results {
namespace {

PyObject* object_of(PyCodeObject* code) {
  return code != nullptr ? Py_NewRef(reinterpret_cast<PyObject*>(code)) : Py_NewRef(Py_None);
}

PyObject* place_object(const Place& place) {
  return Py_BuildValue("(Nl)", object_of(place.code), place.unit * 2);
}

PyObject* stack_object(const std::vector<Place>& places) {
  PyObject* list = PyList_New(0);
  for (const Place& place : places) {
    PyObject* item = place_object(place);
    if (item == nullptr || list == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

PyObject* locks_object(const Session& session, std::uint32_t set) {
  PyObject* list = PyList_New(0);
  for (const std::uint64_t lock :
       const_cast<Session&>(session).detector().synchronization().locksets().of(set)) {
    PyObject* item = PyLong_FromUnsignedLongLong(lock);
    if (item == nullptr || list == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

// Where native code did it, as "library.so function"; empty if it did not.
std::string native_text(const Session& session, std::uint32_t site) {
  const void* address = session.native_at(site);
  Dl_info info{};
  const LoaderCall call;
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string path = info.dli_fname;
  const std::string file = path.substr(path.rfind('/') + 1);
  return info.dli_sname != nullptr ? file + " " + info.dli_sname : file;
}

// (thread number, thread name, the kernel's number of it, op, time or 0, place, callers, locks,
// native code); None if there is none.
PyObject* seen_object(Session& session, const Seen& seen) {
  if (seen.access.clock == 0) Py_RETURN_NONE;
  const std::string name = session.detector().threads().name_of(seen.thread);
  const std::string native = native_text(session, seen.access.site);
  return Py_BuildValue(
      "(IsIiKNNNs)", seen.thread, name.c_str(), session.detector().threads().tid_of(seen.thread),
      static_cast<int>(seen.op), static_cast<unsigned long long>(seen.access.time_ns),
      place_object(session.site(seen.access.site)), stack_object(session.stack(seen.access.stack)),
      locks_object(session, seen.access.locks), native.c_str());
}

PyObject* candidate_object(Session& session, const Candidate& candidate) {
  return Py_BuildValue(
      "(iOOKKNNNN)", static_cast<int>(candidate.kind), candidate.is_split ? Py_True : Py_False,
      candidate.is_suspected ? Py_True : Py_False, static_cast<unsigned long long>(candidate.count),
      static_cast<unsigned long long>(candidate.witnessed), seen_object(session, candidate.first),
      seen_object(session, candidate.second), seen_object(session, candidate.other),
      seen_object(session, candidate.last));
}

}  // namespace

PyObject* found(Session& session) {
  PyObject* list = PyList_New(0);
  if (list == nullptr) return nullptr;
  for (const Candidate& candidate : session.detector().candidates().all()) {
    PyObject* item = candidate_object(session, candidate);
    if (item == nullptr || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_DECREF(list);
      return nullptr;
    }
    Py_DECREF(item);
  }
  return list;
}

PyObject* locks(const Session& session) {
  PyObject* all = PyDict_New();
  if (all == nullptr) return nullptr;
  for (const auto& [lock, place] : session.lock_places()) {
    PyObject* number = PyLong_FromUnsignedLongLong(lock);
    PyObject* where = place_object(place);
    if (number == nullptr || where == nullptr || PyDict_SetItem(all, number, where) < 0) {
      Py_CLEAR(all);
    }
    Py_XDECREF(number);
    Py_XDECREF(where);
    if (all == nullptr) return nullptr;
  }
  return all;
}

PyObject* codes(const Session& session) {
  PyObject* list = PyList_New(0);
  if (list == nullptr) return nullptr;
  for (PyCodeObject* code : session.codes()) {
    if (PyList_Append(list, reinterpret_cast<PyObject*>(code)) < 0) {
      Py_DECREF(list);
      return nullptr;
    }
  }
  return list;
}

PyObject* counts(Session& session) {
  Detector& detector = session.detector();
  return Py_BuildValue(
      "{sKsKsKsKsK}", "variables", static_cast<unsigned long long>(detector.shadow().variables()),
      "given_up", static_cast<unsigned long long>(detector.shadow().given_up()), "without_room",
      static_cast<unsigned long long>(detector.objects().without_room()), "left_out",
      static_cast<unsigned long long>(detector.candidates().left_out()), "threads",
      static_cast<unsigned long long>(detector.threads().count()));
}

PyObject* meetings(const Session& session) {
  PyObject* list = PyList_New(0);
  if (list == nullptr) return nullptr;
  for (const MeetingCount& count : session.meetings().counts()) {
    PyObject* item = Py_BuildValue("(II)", count.holds, count.meetings);
    if (item == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
    if (list == nullptr) return nullptr;
  }
  return list;
}

}  // namespace gilscope::races::results
