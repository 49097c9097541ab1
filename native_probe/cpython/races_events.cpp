#include "cpython/races_events.hpp"

#include <cstddef>

#include "cpython/races_calls.hpp"
#include "cpython/races_runs.hpp"
#include "cpython/races_session.hpp"
#include "cpython/races_variables.hpp"

namespace gilscope::races::events {
namespace {

PyObject* disable = nullptr;
PyObject* watch = nullptr;
Py_ssize_t extra = -1;

void on_global(Event& event, Op op) {
  const Instruction& what = event.instruction();
  if (!is_stored_global(what.hash)) {
    event.is_over = true;
    return;
  }
  auto* globals = static_cast<PyObject*>(event.operands.globals);
  if (!PyDict_CheckExact(globals)) return;
  touch_global(event, globals, what.name, what.hash, op);
}

// In a module; in the body of a class names are local to it.
void on_name(Event& event, Op op) {
  if (event.operands.names == event.operands.globals) {
    on_global(event, op);
  } else {
    event.is_over = true;
  }
}

void on_cell(Event& event, Op op) {
  const Instruction& what = event.instruction();
  if (!is_stored_nonlocal(what.hash)) {
    event.is_over = true;
    return;
  }
  PyObject* cell = event.variable(what.arg);
  if (cell != nullptr && PyCell_Check(cell)) {
    touch(event, cell, make_key(KeyKind::cell), op, what.name);
  }
}

void on_store(Event& event, PyObject* owner, PyObject* value) {
  const Instruction& what = event.instruction();
  // x.y += z of what changes in place stores what was there: y is not another one then.
  if (what.is_in_place && value != nullptr && changes_in_place(value)) return;
  if (owner != nullptr) touch_attribute(event, owner, what.name, what.hash, Op::store);
}

void on_store_item(Event& event) {
  PyObject* value = event.at(2);
  if (event.instruction().is_in_place && value != nullptr && changes_in_place(value)) return;
  PyObject* container = event.at(1);
  PyObject* key = event.at(0);
  if (container == nullptr || key == nullptr) return;
  touch_item(event, container, key, Op::store);
  if (value != nullptr && is_dict(container)) put(event, container, value);
}

void on_contains(Event& event) {
  PyObject* container = event.at(0);
  PyObject* key = event.at(1);
  if (container == nullptr || key == nullptr) return;
  touch_contained(event, container, key);
}

void on_item(Event& event, Op op) {
  PyObject* container = event.at(1);
  PyObject* key = event.at(0);
  if (container != nullptr && key != nullptr) touch_item(event, container, key, op);
}

void on_slice(Event& event, Op op) {
  PyObject* container = event.at(2);
  if (container != nullptr && (is_list(container) || is_array(container))) {
    touch_structure(event, container, op);
  }
}

void on_step(Event& event) {
  PyObject* iterator = event.at(0);
  if (iterator == nullptr) iterator = event.at(1);  // 3.15: a position stands above it
  if (iterator == nullptr) return;
  auto* over = static_cast<PyObject*>(gilscope_iterated(iterator));
  if (over == nullptr && PyList_CheckExact(iterator)) over = iterator;
  if (over != nullptr) touch_structure(event, over, Op::step);
}

void on_attribute(Event& event, Op op) {
  const Instruction& what = event.instruction();
  PyObject* owner = event.at(0);
  if (owner == nullptr || event.session.follow(event.thread, owner)) return;
  touch_attribute(event, owner, what.name, what.hash, op);
}

// a, b = items; [*items]; {**items}
void on_whole(Event& event, PyObject* items) {
  if (items == nullptr) return;
  // Tuples stay tuples, nearly always.
  event.is_over = PyTuple_CheckExact(items);
  if (event.is_over) return;
  if (is_dict(items) && event.instruction().is_mapping) return touch_values(event, items);
  touch_whole(event, items, Op::read);
}

void on_call(Event& event) {
  const int arguments = event.instruction().arg;
  if (event.instruction().action == Action::call) {
    return touch_call(event, arguments + 1, arguments);
  }
  PyObject* names = event.at(0);
  if (names == nullptr || !PyTuple_Check(names)) return;
  touch_call(event, arguments + 2, arguments, names);
}

}  // namespace

void dispatch(Event& event) {
  switch (event.instruction().action) {
    case Action::load_attr: return on_attribute(event, Op::read);
    case Action::store_attr: return on_store(event, event.at(0), event.at(1));
    case Action::delete_attr: return on_attribute(event, Op::remove);
    case Action::load_global: return on_global(event, Op::read);
    case Action::store_global: return on_global(event, Op::store);
    case Action::delete_global: return on_global(event, Op::remove);
    case Action::load_name: return on_name(event, Op::read);
    case Action::store_name: return on_name(event, Op::store);
    case Action::delete_name: return on_name(event, Op::remove);
    case Action::load_subscr: return on_item(event, Op::read);
    case Action::store_subscr: return on_store_item(event);
    case Action::delete_subscr: return on_item(event, Op::remove);
    case Action::load_slice: return on_slice(event, Op::read);
    case Action::store_slice: return on_slice(event, Op::change);
    case Action::contains: return on_contains(event);
    case Action::to_bool:
    case Action::get_iter:
      if (PyObject* object = event.at(0)) {
        const bool begins = event.instruction().action == Action::get_iter;
        if (PyBool_Check(object) || object == Py_None) return;
        if (begins) {
          touch_whole(event, object, Op::iterate);
        } else if (is_container(object)) {
          touch_iterable(event, object, Op::read);
        }
      }
      return;
    case Action::for_iter: return on_step(event);
    case Action::load_deref: return on_cell(event, Op::read);
    case Action::store_deref: return on_cell(event, Op::store);
    case Action::call:
    case Action::call_kw: return on_call(event);
    case Action::in_place:
      if (PyObject* object = event.at(1)) {
        if (is_dict(object)) {
          touch_update(event, object, event.at(0));
        } else if (is_container(object)) {
          touch_structure(event, object, Op::add);
        }
        // Numbers stay numbers, nearly always.
        event.is_over = PyLong_CheckExact(object) || PyFloat_CheckExact(object);
      }
      return;
    case Action::unpack: return on_whole(event, event.at(0));
    case Action::enter:
      wait_at_lock(event);
      if (PyObject* object = event.at(0)) event.session.follow(event.thread, object);
      return;
    case Action::none: return;
  }
}

namespace {

CodeTable* table_of(PyObject* code) {
  void* table = nullptr;
  if (PyUnstable_Code_GetExtra(code, extra, &table) < 0) PyErr_Clear();
  return static_cast<CodeTable*>(table);
}

// The run that the instruction is in, if it is played so far.
Run* run_of(CodeTable& table, const Instruction& instruction) {
  if (instruction.run == 0) return nullptr;
  Run& run = table.runs[instruction.run - 1u];
  return instruction.step < run.length ? &run : nullptr;
}

// Whether the event is done with. One whose run is over is as any other.
bool play_run(Event& event, Run& run, PyObject* code) {
  // Calls of declared objects are told by what comes after them, an event each.
  if (event.session.has_declared()) {
    run.length = 0;
  } else if (play(event, run)) {
    return true;
  }
  // What is not played any more needs its events again.
  PyObject* done =
      watch != nullptr ? PyObject_CallFunctionObjArgs(watch, code, Py_True, nullptr) : nullptr;
  if (done == nullptr) PyErr_Clear();
  Py_XDECREF(done);
  return run.length != 0;
}

// The interpreter calls such an object without a detour.
struct Callback {
  PyObject_HEAD vectorcallfunc call;
};

PyObject* called(PyObject*, PyObject* const* arguments, std::size_t, PyObject*) {
  return on_instruction(nullptr, arguments, 2);
}

}  // namespace

PyObject* make_callback() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Callback, call), Py_READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                {Py_tp_members, members},
                                {0, nullptr}};
  static PyType_Spec spec = {
      "gilscope._races.Callback", sizeof(Callback), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) return nullptr;
  auto* made =
      reinterpret_cast<Callback*>(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(type), 0));
  Py_DECREF(type);
  if (made != nullptr) made->call = called;
  return reinterpret_cast<PyObject*>(made);
}

int initialize(PyObject* disable_object) {
  disable = Py_NewRef(disable_object);
  // Tables belong to their session, which outlives all use of them.
  if (extra < 0) extra = PyUnstable_Eval_RequestCodeExtraIndex([](void*) {});
  return extra < 0 ? -1 : 0;
}

void set_watcher(PyObject* watcher) { Py_XSETREF(watch, Py_XNewRef(watcher)); }

PyObject* on_start(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  Session* session = Session::active();
  if (session == nullptr || count < 1 || !PyCode_Check(arguments[0])) return Py_NewRef(disable);
  auto* code = reinterpret_cast<PyCodeObject*>(arguments[0]);
  if (!session->is_in_scope(code)) return Py_NewRef(disable);
  const Inside inside(session->thread());
  CodeTable* table = session->add(code);
  if (table == nullptr || PyUnstable_Code_SetExtra(arguments[0], extra, table) < 0) {
    PyErr_Clear();  // it is not watched
    return Py_NewRef(disable);
  }
  PyObject* done = watch != nullptr ? PyObject_CallOneArg(watch, arguments[0]) : nullptr;
  if (done == nullptr) PyErr_Clear();
  Py_XDECREF(done);
  return Py_NewRef(disable);
}

PyObject* on_instruction(PyObject*, PyObject* const* arguments, Py_ssize_t) {
  CodeTable* table = table_of(arguments[0]);
  Session* session = Session::active();
  if (table == nullptr || session == nullptr || table->session != session->number()) {
    return Py_NewRef(disable);
  }
  const auto unit = static_cast<std::size_t>(PyLong_AsLong(arguments[1])) / 2;
  if (unit >= table->instructions.size()) return Py_NewRef(disable);
  const Instruction& what = table->instructions[unit];
  Run* run = run_of(*table, what);
  const bool is_noted = run != nullptr && what.step != 0;  // at the beginning of its run
  if (is_noted || (run == nullptr && what.action == Action::none)) return Py_NewRef(disable);
  if (!Session::has_threads()) Py_RETURN_NONE;
  Thread* thread = session->thread();
  const Inside inside(thread);
  if (!inside) Py_RETURN_NONE;
  Event event{*session, *thread, *table, static_cast<std::uint32_t>(unit), {}};
  event.may_wait = true;
  if (gilscope_operands_of(arguments[0], &event.operands) == 0) Py_RETURN_NONE;
  if (thread->following != 0) session->go_on_following(*thread);
  if (run != nullptr && play_run(event, *run, arguments[0])) Py_RETURN_NONE;
  dispatch(event);
  if (event.is_over) return Py_NewRef(disable);
  Py_RETURN_NONE;
}

}  // namespace gilscope::races::events
