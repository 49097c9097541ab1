// Which variable an operation is about.
#pragma once

#include <Python.h>

#include "cpython/races_containers.hpp"
#include "cpython/races_session.hpp"

namespace gilscope::races {

// One event: a thread of the program is about to execute an instruction.
struct Event {
  Session& session;
  Thread& thread;
  const CodeTable& table;
  std::uint32_t unit;
  gilscope_operands operands;
  std::uint32_t stack = 0;
  bool has_stack = false;
  bool is_over = false;  // nothing is to be seen at this place, now or later
  // The thread stands before an instruction, where code of others may run as well as not: native
  // code that calls the C API may count on that it does not.
  bool may_wait = false;
  bool is_shared = false;             // other threads use what was touched last, too
  PyObject* const* values = nullptr;  // operands from this depth on, while a run is played
  int lowest = 0;
  // A method of dict, list or object itself was called: what the object's class does instead of it
  // does not count.
  bool is_direct = false;
  Action item = Action::none;  // what a call does that an instruction could do
  Object owner;                // whose variables the items of the dict are, see Session::alias

  std::uint32_t site() const { return table.first_site + unit; }
  Recent& recent(Key variable) const { return thread.recent_of(site(), variable); }
  // Whether the thread did the same before and nothing has come in between.
  bool is_recent(const Recent& recent, ObjectId object, Key variable, Op op) const {
    return recent.site == site() && recent.op == op && recent.key == variable &&
           recent.object == object && recent.clock == thread.clock &&
           recent.sequence == thread.sequence && recent.frame == operands.frame &&
           recent.taken == session.detector().taken(thread.slot);
  }
  bool has_just_done(PyObject* container, Key variable) const {
    const Object object = session.detector().objects().find(container);
    return is_recent(recent(variable), object.id, variable, Op::store);
  }

  const Instruction& instruction() const { return table.instructions[unit]; }
  // Whether the instruction, or what it calls, does this.
  bool is_item(Action action) const { return instruction().action == action || item == action; }
  // The object `below` places below the top of the operand stack; nullptr: there is none.
  PyObject* at(int below) const {
    const auto depth = static_cast<int>(instruction().depth);
    if (values != nullptr) return values[depth - 1 - below - lowest];
    const int place = table.code->co_nlocalsplus + depth - 1 - below;
    return static_cast<PyObject*>(gilscope_object_at(operands.locals[place]));
  }
  PyObject* variable(int number) const {
    return static_cast<PyObject*>(gilscope_object_at(operands.locals[number]));
  }
};

// What a key tells apart, in its upper 4 bits.
enum class KeyKind : Key { attribute = 1, value, index, structure, position, identity, cell };
inline Key make_key(KeyKind kind, Key rest = 0) {
  return static_cast<Key>(kind) << 60 | (rest & 0x0FFFFFFFFFFFFFFFu);
}

// The event does `op` to this variable. `key`: the object that names it, or nullptr.
void touch(Event& event, PyObject* container, Key variable, Op op, PyObject* key = nullptr);
inline void touch_structure(Event& event, PyObject* container, Op op) {
  touch(event, container, make_key(KeyKind::structure), op);
}

// Holds the thread where a race is to be made happen, before it takes a lock.
void wait_at_lock(const Event& event);
void touch_attribute(Event& event, PyObject* owner, PyObject* name, Key hash, Op op);
// Whether the event's attribute of this object is a variable of it, as far as that is known.
bool is_variable(const Event& event, PyObject* owner);
void touch_global(Event& event, PyObject* globals, PyObject* name, Key hash, Op op);
void touch_item(Event& event, PyObject* container, PyObject* key, Op op);
// The event puts an object into a container.
void put(Event& event, PyObject* container, PyObject* item);
// obj.__dict__ and vars(obj): the items of the dict are the attributes of the object.
void look_at_dict(Event& event, PyObject* owner);
void touch_member(Event& event, PyObject* set, PyObject* member, Op op);
void touch_iterator(Event& event, PyObject* iterator);
void touch_iterable(Event& event, PyObject* iterable, Op op);
// Goes over all items, or reads them all; each item counts, too, where they are few and others use
// them.
void touch_whole(Event& event, PyObject* iterable, Op op);
// Reads the values of a dict.
void touch_values(Event& event, PyObject* dict);
// key in container
void touch_contained(Event& event, PyObject* container, PyObject* key);

int initialize_variables();

}  // namespace gilscope::races
