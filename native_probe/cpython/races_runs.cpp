#include "cpython/races_runs.hpp"

#include <opcode.h>

#include <algorithm>
#include <array>

#include "cpython/races_events.hpp"

namespace gilscope::races {
namespace {

// Stand for values that are not there yet.
PyObject* some_number = nullptr;  // 0: nothing that only another number allows is done with it
PyObject* some_float = nullptr;
PyObject* some_text = nullptr;
PyObject* len_name = nullptr;
PyObject* usual_len = nullptr;

bool is_text(PyObject* value) { return value != nullptr && PyUnicode_CheckExact(value); }
bool is_whole(PyObject* value) { return PyLong_CheckExact(value) || PyBool_Check(value); }
bool is_number(PyObject* value) {
  return value != nullptr && (is_whole(value) || PyFloat_CheckExact(value));
}

// What ends with its last reference runs code, unless it is a plain value.
bool may_run_code(PyObject* dropped, Py_ssize_t references) {
  if (dropped == nullptr || is_number(dropped) || dropped == Py_None ||
      PyUnicode_CheckExact(dropped) || PyBytes_CheckExact(dropped)) {
    return false;
  }
  return Py_REFCNT(dropped) <= references;
}

enum class Did { all, last, nothing };  // `last`: the run ends with this step; `nothing`: before it

class Player {
 public:
  Player(Event& event, const Run& run) : event_(event), low_(run.low), count_(run.depth - run.low) {
    for (int i = 0; i < count_; ++i) {
      values_[static_cast<std::size_t>(i)] =
          event.variable(event.table.code->co_nlocalsplus + run.low + i);
    }
    event.values = values_.data();
    event.lowest = low_;
  }
  ~Player() { event_.values = nullptr; }
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  Did play(const Step& step) {
    switch (step.move) {
      case Move::push_local: return push(local(step.first)) ? Did::all : Did::nothing;
      case Move::push_two:
        if (local(step.first) == nullptr || local(step.second) == nullptr) return Did::nothing;
        push(local(step.first));
        push(local(step.second));
        return Did::all;
      case Move::push_constant: push(step.constant); return Did::all;
      case Move::push_unknown: return push_unknown(step);
      case Move::store_local: return store(step.first);
      case Move::store_and_push: {
        const Did did = store(step.first);
        if (!push(local(step.second))) return Did::nothing;
        return did;
      }
      case Move::store_two: {
        const Did did = store(step.first);
        return store(step.second) == Did::last ? Did::last : did;
      }
      case Move::copy:
        values_[place()] = top(step.first - 1);
        ++count_;
        return Did::all;
      case Move::swap:
        std::swap(values_[place() - 1], values_[place() - step.first]);
        return Did::all;
      case Move::cell: return cell(step);
      case Move::build: return replace(step.first, nullptr);
      case Move::length: return length();
      default: return access(step);
    }
  }

 private:
  std::size_t place() const { return static_cast<std::size_t>(count_); }
  PyObject* top(int below) const { return values_[place() - 1 - static_cast<std::size_t>(below)]; }
  bool push(PyObject* value) {
    values_[place()] = value;
    ++count_;
    return value != nullptr;
  }
  Did replace(int count, PyObject* value) {
    count_ -= count;
    push(value);
    return Did::all;
  }
  void note() const { events::dispatch(event_); }
  void touch_variable(PyObject* owner, Op op) const {
    const Instruction& what = event_.instruction();
    touch(event_, owner, make_key(KeyKind::attribute, what.hash), op, what.name);
  }

  PyObject* local(int number) const {
    for (std::size_t i = stored_count_; i-- > 0;) {
      if (stored_[i].number == number) return stored_[i].value;
    }
    return event_.variable(number);
  }
  Did store(int number) {
    PyObject* before = local(number);
    stored_[stored_count_++] = {number, top(0)};
    --count_;
    const bool is_full = stored_count_ == stored_.size();
    return is_full || may_run_code(before, 1 + drops_++) ? Did::last : Did::all;
  }

  Did push_unknown(const Step& step) {
    if (step.is_access) note();
    for (int i = 0; i < step.first; ++i) push(nullptr);
    return Did::all;
  }
  Did cell(const Step& step) {
    PyObject* cell = event_.variable(step.first);
    if (cell == nullptr || !PyCell_Check(cell) || PyCell_GET(cell) == nullptr) return Did::nothing;
    if (step.is_access) note();
    push(PyCell_GET(cell));
    return Did::all;
  }

  Did access(const Step& step) {
    switch (step.move) {
      case Move::load_attr: return load_attr(step);
      case Move::store_attr: return store_attr(step);
      case Move::load_item: return load_item();
      case Move::store_item: return store_item();
      case Move::compare: return compare(step.first);
      case Move::contains:
        if (!is_text(top(0)) || !is_text(top(1))) return Did::nothing;
        return replace(2, Py_True);
      case Move::is_same: return replace(2, Py_True);
      case Move::calculate: return calculate(step.first);
      case Move::truth: return truth();
      default: return Did::nothing;
    }
  }

  Did load_attr(const Step& step) {
    PyObject* owner = top(0);
    if (owner == nullptr) return Did::nothing;
    const bool is_known = is_variable(event_, owner);
    if (!is_known) note();  // and find out
    if (!is_variable(event_, owner)) return Did::nothing;
    auto* value = static_cast<PyObject*>(
        gilscope_instance_value(owner, event_.instruction().name, &step.place));
    if (value == nullptr) return Did::nothing;
    if (is_known) touch_variable(owner, Op::read);
    return replace(1, value);
  }

  Did store_attr(const Step& step) {
    PyObject* owner = top(0);
    if (owner == nullptr) return Did::nothing;
    const bool is_known = is_variable(event_, owner);
    if (!is_known) note();  // and find out
    if (!is_variable(event_, owner)) return Did::nothing;
    auto* before = static_cast<PyObject*>(
        gilscope_instance_value(owner, event_.instruction().name, &step.place));
    if (is_known) note();
    count_ -= 2;
    return may_run_code(before, 1 + drops_++) ? Did::last : Did::all;
  }

  // Where it is in a list, or what a dict has for it; nullptr: that is not known, or an error.
  static PyObject* item(PyObject* container, PyObject* key) {
    if (container == nullptr || key == nullptr) return nullptr;
    if (PyDict_CheckExact(container)) {
      if (!PyUnicode_CheckExact(key) || gilscope_has_text_keys(container) == 0) return nullptr;
      PyObject* found = PyDict_GetItemWithError(container, key);
      if (found == nullptr) PyErr_Clear();
      return found;
    }
    if (!PyLong_CheckExact(key)) return nullptr;
    Py_ssize_t index = PyLong_AsSsize_t(key);
    if (index == -1 && PyErr_Occurred() != nullptr) PyErr_Clear();
    const bool is_text = PyUnicode_CheckExact(container);
    if (!is_text && !PyList_CheckExact(container) && !PyTuple_CheckExact(container)) return nullptr;
    const Py_ssize_t size = is_text ? PyUnicode_GET_LENGTH(container) : Py_SIZE(container);
    if (index < 0) index += size;
    if (index < 0 || index >= size) return nullptr;
    if (is_text) return some_text;
    return PyList_CheckExact(container) ? PyList_GET_ITEM(container, index)
                                        : PyTuple_GET_ITEM(container, index);
  }

  Did load_item() {
    PyObject* found = item(top(1), top(0));
    if (found == nullptr) return Did::nothing;
    note();
    return replace(2, found);
  }

  Did store_item() {
    PyObject* before = item(top(1), top(0));
    if (before == nullptr || before == some_text) return Did::nothing;
    note();
    count_ -= 3;
    return may_run_code(before, 1 + drops_++) ? Did::last : Did::all;
  }

  Did compare(int op) {
    PyObject* one = top(1);
    PyObject* other = top(0);
    const bool are_numbers = is_number(one) && is_number(other);
    const bool are_text = is_text(one) && is_text(other);
    const bool is_none = (op == Py_EQ || op == Py_NE) && (one == Py_None || is_number(one)) &&
                         (other == Py_None || is_number(other));
    return are_numbers || are_text || is_none ? replace(2, Py_True) : Did::nothing;
  }

  Did calculate(int op) {
    PyObject* one = top(1);
    PyObject* other = top(0);
    if (op == NB_ADD && is_text(one) && is_text(other)) {
      return replace(2, some_text);
    }
    if (!is_number(one) || !is_number(other)) return Did::nothing;
    const bool are_whole = is_whole(one) && is_whole(other);
    const bool has_error =
        op == NB_REMAINDER && (!are_whole || other == some_number || PyObject_IsTrue(other) == 0);
    const bool is_sum = op == NB_ADD || op == NB_SUBTRACT || op == NB_MULTIPLY;
    if (has_error || (!are_whole && !is_sum)) return Did::nothing;
    return replace(2, are_whole ? some_number : some_float);
  }

  // len(x), of what has no code of the program's for it.
  Did length() {
    PyObject* value = top(0);
    if (value == nullptr || !is_usual_len()) return Did::nothing;
    if (PyList_CheckExact(value) || PyDict_CheckExact(value) || Py_IS_TYPE(value, &PySet_Type)) {
      touch_structure(event_, value, Op::read);
    } else if (!is_text(value) && !PyTuple_CheckExact(value)) {
      return Did::nothing;
    }
    return replace(3, some_number);
  }
  bool is_usual_len() const {
    auto* globals = static_cast<PyObject*>(event_.operands.globals);
    if (!PyDict_CheckExact(globals) || gilscope_has_text_keys(globals) == 0) return false;
    if (PyDict_GetItemWithError(globals, len_name) != nullptr) return false;
    PyObject* builtins = PyEval_GetBuiltins();
    return builtins != nullptr && PyDict_CheckExact(builtins) &&
           PyDict_GetItemWithError(builtins, len_name) == usual_len;
  }

  Did truth() {
    PyObject* value = top(0);
    if (value == nullptr) return Did::nothing;
    const bool is_plain = is_number(value) || value == Py_None || PyUnicode_CheckExact(value);
    if (!is_plain && !is_container(value)) {
      const PyTypeObject* type = Py_TYPE(value);
      const bool has_code =
          (type->tp_as_number != nullptr && type->tp_as_number->nb_bool != nullptr) ||
          (type->tp_as_mapping != nullptr && type->tp_as_mapping->mp_length != nullptr) ||
          (type->tp_as_sequence != nullptr && type->tp_as_sequence->sq_length != nullptr);
      if (has_code) return Did::nothing;
    }
    if (is_container(value)) {
      if ((Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) return Did::nothing;
      note();
    }
    return replace(1, Py_True);
  }

  struct Stored {
    int number;
    PyObject* value;
  };

  Event& event_;
  const int low_;
  int count_;
  Py_ssize_t drops_ = 0;
  std::array<PyObject*, kMostOperands + 1> values_;  // as many as count_
  std::array<Stored, 4> stored_;
  std::size_t stored_count_ = 0;
};

}  // namespace

bool play(Event& event, Run& run) {
  const std::uint32_t unit = event.unit;
  std::size_t played = 0;
  {
    Player player(event, run);
    for (Did did = Did::all; did == Did::all && played < run.length; ++played) {
      event.unit = run.steps[played].unit;
      did = player.play(run.steps[played]);
      if (did == Did::nothing) break;
    }
  }
  event.unit = unit;
  event.is_over = false;
  if (played == run.length) return true;
  const bool does_anything =
      std::any_of(run.steps.begin(), run.steps.begin() + static_cast<std::ptrdiff_t>(played),
                  [](const Step& step) { return step.is_access; });
  run.length = does_anything ? played : 0;
  return false;
}

int initialize_runs() {
  some_number = PyLong_FromLong(0);
  some_float = PyFloat_FromDouble(0.5);
  some_text = PyUnicode_FromString("");
  len_name = PyUnicode_InternFromString("len");
  PyObject* builtins = PyImport_ImportModule("builtins");
  usual_len = builtins != nullptr ? PyObject_GetAttrString(builtins, "len") : nullptr;
  Py_XDECREF(builtins);
  const bool is_done = some_number != nullptr && some_float != nullptr && some_text != nullptr &&
                       len_name != nullptr && usual_len != nullptr;
  return is_done ? 0 : -1;
}

}  // namespace gilscope::races
