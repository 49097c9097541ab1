#include "bindings/order_results.hpp"

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "cpython/order_forks.hpp"

namespace gilscope::order::results {
namespace {

constexpr const char* kKinds[] = {"lock",      "rlock",   "mutex",     "rwlock",    "gil",
                                  "import",    "loader",  "guard",     "once",      "section",
                                  "condition", "event",   "queue-put", "queue-get", "queue-join",
                                  "semaphore", "barrier", "future",    "thread",    "ignored"};
constexpr const char* kModes[] = {"blocking", "timed", "try"};

const char* word_of(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

// Appends and gives up the reference; an exception stays set, and the rest does nothing.
void append(PyObject* list, PyObject* item) {
  if (item != nullptr && PyErr_Occurred() == nullptr) PyList_Append(list, item);
  Py_XDECREF(item);
}
void set(PyObject* dict, const char* key, PyObject* value) {
  if (value != nullptr && PyErr_Occurred() == nullptr) PyDict_SetItemString(dict, key, value);
  Py_XDECREF(value);
}

// A code object and an instruction in units of 2 bytes, an address, or file, function and line.
PyObject* place(const Place& place) {
  if (place.code != nullptr) return Py_BuildValue("Ol", place.code, place.unit);
  if (place.address != nullptr) return PyLong_FromVoidPtr(const_cast<void*>(place.address));
  return Py_BuildValue("ssI", place.file.c_str(), place.function.c_str(), place.line);
}

PyObject* stack(const std::vector<PlaceId>& places) {
  PyObject* list = PyList_New(0);
  for (const PlaceId id : places) append(list, PyLong_FromUnsignedLong(id));
  return list;
}

PyObject* gates(const std::vector<Gate>& gates) {
  PyObject* list = PyList_New(0);
  for (const Gate& gate : gates) append(list, Py_BuildValue("II", gate.id, gate.shared ? 1 : 0));
  return list;
}

// Points share what they know of others: each such vector is given once.
class Knowledge {
 public:
  PyObject* point(const Point& point) {
    const auto [number, is_new] =
        numbers_.try_emplace(point.known.get(), static_cast<unsigned>(all_.size()));
    if (is_new) all_.push_back(point.known);
    return Py_BuildValue("III", point.serial, point.clock, number->second);
  }
  PyObject* all() const {
    PyObject* list = PyList_New(0);
    for (const Known& known : all_) {
      PyObject* clocks = PyList_New(0);
      if (known != nullptr) {
        for (const std::uint32_t clock : *known) append(clocks, PyLong_FromUnsignedLong(clock));
      }
      append(list, clocks);
    }
    return list;
  }

 private:
  std::map<const void*, unsigned> numbers_;
  std::vector<Known> all_;
};

PyObject* points(const Points& points, Knowledge& knowledge) {
  PyObject* list = PyList_New(0);
  for (const Point& point : points.all()) append(list, knowledge.point(point));
  return list;
}

PyObject* edge(const Edge& edge, Knowledge& knowledge) {
  PyObject* dict = PyDict_New();
  set(dict, "held", PyLong_FromUnsignedLong(edge.key.held));
  set(dict, "asked", PyLong_FromUnsignedLong(edge.key.asked));
  set(dict, "held_at", PyLong_FromUnsignedLong(edge.key.held_at));
  set(dict, "asked_at", PyLong_FromUnsignedLong(edge.key.asked_at));
  set(dict, "mode", PyUnicode_FromString(kModes[static_cast<std::size_t>(edge.mode)]));
  set(dict, "held_shared", PyBool_FromLong(edge.held_shared ? 1 : 0));
  set(dict, "asked_shared", PyBool_FromLong(edge.asked_shared ? 1 : 0));
  set(dict, "gil_is_gate", PyBool_FromLong(edge.gil_is_gate ? 1 : 0));
  set(dict, "count", PyLong_FromUnsignedLongLong(edge.count));
  set(dict, "stack", PyLong_FromUnsignedLong(edge.stack));
  set(dict, "gates", gates(edge.gates));
  set(dict, "points", points(edge.points, knowledge));
  return dict;
}

PyObject* passed(const Passed& passed, Knowledge& knowledge) {
  PyObject* list = PyList_New(0);
  for (const Passed::Time& time : passed.times) {
    append(list,
           Py_BuildValue("INN", time.sequence, knowledge.point(time.point), gates(time.gates)));
  }
  PyObject* dict = PyDict_New();
  set(dict, "lock", PyLong_FromUnsignedLong(passed.lock));
  set(dict, "shared", PyBool_FromLong(passed.shared ? 1 : 0));
  set(dict, "stack", PyLong_FromUnsignedLong(passed.stack));
  set(dict, "times", list);
  return dict;
}

PyObject* times(const std::unordered_map<LockId, Times>& all) {
  PyObject* list = PyList_New(0);
  for (const auto& [id, one] : all) {
    PyObject* sequences = PyList_New(0);
    for (const std::uint32_t sequence : one.sequences) {
      append(sequences, PyLong_FromUnsignedLong(sequence));
    }
    append(list, Py_BuildValue("IKIN", id, static_cast<unsigned long long>(one.count), one.last,
                               sequences));
  }
  return list;
}

PyObject* thread(const Thread& thread, Knowledge& knowledge) {
  PyObject* edges = PyList_New(0);
  for (const Edge& one : thread.part.edges) append(edges, edge(one, knowledge));
  PyObject* passes = PyList_New(0);
  for (const Passed& one : thread.part.passed) append(passes, passed(one, knowledge));
  PyObject* dict = PyDict_New();
  set(dict, "serial", PyLong_FromUnsignedLong(thread.now.serial));
  set(dict, "name",
      PyUnicode_DecodeUTF8(thread.part.name.data(),
                           static_cast<Py_ssize_t>(thread.part.name.size()), "replace"));
  set(dict, "edges", edges);
  set(dict, "passed", passes);
  set(dict, "provided", times(thread.part.provided));
  set(dict, "waits", times(thread.part.waits));
  set(dict, "left_out", PyLong_FromUnsignedLongLong(thread.part.left_out));
  set(dict, "late_requests", PyLong_FromUnsignedLongLong(thread.part.late_requests));
  set(dict, "late_stack", PyLong_FromUnsignedLong(thread.part.late_stack));
  return dict;
}

PyObject* locks(Session& session) {
  PyObject* dict = PyDict_New();
  for (const auto& [id, info] : session.recorder().locks()) {
    PyObject* key = PyLong_FromUnsignedLong(id);
    PyObject* value = Py_BuildValue(
        "sIKKNIs", word_of(info.kind), info.site, static_cast<unsigned long long>(info.address),
        static_cast<unsigned long long>(info.capacity), PyBool_FromLong(info.renewed ? 1 : 0),
        info.guard, info.name.c_str());
    if (key != nullptr && value != nullptr) PyDict_SetItem(dict, key, value);
    Py_XDECREF(key);
    Py_XDECREF(value);
  }
  return dict;
}

PyObject* fork(const forks::Fork& fork, Knowledge& knowledge) {
  PyObject* held = PyList_New(0);
  for (const LockId id : fork.held) append(held, PyLong_FromUnsignedLong(id));
  PyObject* dict = PyDict_New();
  set(dict, "thread", PyLong_FromUnsignedLong(fork.thread));
  set(dict, "point", knowledge.point(fork.point));
  set(dict, "stack", PyLong_FromUnsignedLong(fork.stack));
  set(dict, "end", PyLong_FromUnsignedLong(fork.end));
  set(dict, "held", held);
  set(dict, "asked", PyList_New(0));
  return dict;
}

PyObject* all_forks(Knowledge& knowledge) {
  PyObject* list = PyList_New(0);
  for (const forks::Fork& one : forks::all()) append(list, fork(one, knowledge));
  for (const forks::Asked& one : forks::all_asked()) {
    PyObject* of = PyList_GetItemRef(list, one.fork);
    PyObject* asked = of != nullptr ? PyDict_GetItemString(of, "asked") : nullptr;
    if (asked != nullptr) {
      append(asked,
             Py_BuildValue(
                 "KNNI", static_cast<unsigned long long>(one.address),
                 PyUnicode_DecodeUTF8(one.file.data(), static_cast<Py_ssize_t>(one.file.size()),
                                      "replace"),
                 PyUnicode_DecodeUTF8(one.function.data(),
                                      static_cast<Py_ssize_t>(one.function.size()), "replace"),
                 one.line));
    }
    Py_XDECREF(of);
  }
  return list;
}

}  // namespace

Kind kind_of(const char* word) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (std::strcmp(kKinds[i], word) == 0) return static_cast<Kind>(i);
  }
  return Kind::condition;
}

PyObject* all(Session& session) {
  Knowledge knowledge;
  PyObject* threads = PyList_New(0);
  std::vector<const Thread*> parts;
  session.recorder().for_each_thread([&parts](const Thread& part) { parts.push_back(&part); });
  for (const Thread* part : parts) append(threads, thread(*part, knowledge));
  PyObject* forked = all_forks(knowledge);
  PyObject* places = PyList_New(0);
  for (const Place& one : session.places()) append(places, place(one));
  PyObject* stacks = PyList_New(0);
  for (const auto& one : session.stacks()) append(stacks, stack(one));
  PyObject* dict = PyDict_New();
  set(dict, "has_gil", PyBool_FromLong(session.has_gil() ? 1 : 0));
  set(dict, "threads", threads);
  set(dict, "forks", forked);
  set(dict, "locks", locks(session));
  set(dict, "known", knowledge.all());
  set(dict, "places", places);
  set(dict, "stacks", stacks);
  if (PyErr_Occurred() != nullptr) Py_CLEAR(dict);
  return dict;
}

}  // namespace gilscope::order::results
