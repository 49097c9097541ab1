// Which instructions of a code object make runs.
#include <algorithm>

#include "cpython/races_decoded.hpp"
#include "cpython/races_runs.hpp"

#if PY_VERSION_HEX < 0x030E0000
#include <opcode.h>
#endif

namespace gilscope::races {

#if PY_VERSION_HEX >= 0x030E0000
// Later versions have other instructions; there every access has its own event.
void find_runs(const Code&, CodeTable&) {}
#else
namespace {

// What is known of a place on the operand stack when the run is played.
enum class Known : std::uint8_t { object, type, nothing, len };

class Finder {
 public:
  Finder(const Code& code, CodeTable& table) : code_(code), table_(table) {}

  void find() {
    for (std::size_t i = 0; i < code_.raw.size(); i = next_of(code_, i)) {
      const int depth = code_.depth[i];
      if (depth < 0) {
        close();
        continue;
      }
      if (code_.is_target[i] || static_cast<std::size_t>(depth) != stack_.size()) close();
      if (!add(i)) {
        close();
        if (!add(i)) close();
      }
      // Threads may change places when a call has been made.
      if (is_open_ && code_.raw[i].opcode == CALL) close();
    }
    close();
  }

 private:
  void open(std::size_t unit) {
    run_ = Run();
    run_.depth = run_.low = code_.depth[unit];
    stack_.assign(static_cast<std::size_t>(run_.depth), Known::object);
    stored_.clear();
    highest_ = run_.depth;
    has_stored_item_ = false;
    is_open_ = true;
  }

  void close() {
    if (!is_open_) return;
    is_open_ = false;
    while (!run_.steps.empty() && !run_.steps.back().is_access) run_.steps.pop_back();
    const auto accesses = std::count_if(run_.steps.begin(), run_.steps.end(),
                                        [](const Step& step) { return step.is_access; });
    // An access alone gains where the event is before it.
    if (accesses == 0 || (accesses == 1 && run_.steps[0].is_access)) return;
    if (run_.steps.size() >= 255 || table_.runs.size() >= 0xFFFF) return;
    run_.length = run_.steps.size();
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      const Step& step = run_.steps[i];
      if (i != 0 && !step.is_access) continue;
      Instruction& instruction = table_.instructions[step.unit];
      instruction.run = static_cast<std::uint16_t>(table_.runs.size() + 1);
      instruction.step = static_cast<std::uint8_t>(i);
    }
    table_.runs.push_back(std::move(run_));
  }

  Known at(int below) const { return stack_[stack_.size() - 1 - static_cast<std::size_t>(below)]; }
  bool has(std::size_t count) const { return stack_.size() >= count; }
  bool is_object(int below) const { return at(below) == Known::object; }
  bool is_known(int below) const { return at(below) == Known::object || at(below) == Known::type; }
  bool is_len(std::size_t unit) const {
    PyObject* name = table_.instructions[unit].name;
    return name != nullptr && PyUnicode_CompareWithASCIIString(name, "len") == 0;
  }

  // Adds the instruction to the run, which is opened by it if there is none; whether it can be.
  bool add(std::size_t unit) {
    const Raw& raw = code_.raw[unit];
    if (raw.arg > 255) return false;
    if (!is_open_) open(unit);
    Step step;
    step.unit = static_cast<std::uint32_t>(unit);
    step.is_access = table_.instructions[unit].action != Action::none;
    int pops = 0;
    std::vector<Known> pushes;
    if (!describe(raw, step, pops, pushes)) return false;
    run_.low = std::min(run_.low, static_cast<int>(stack_.size()) - pops);
    stack_.resize(stack_.size() - static_cast<std::size_t>(pops));
    stack_.insert(stack_.end(), pushes.begin(), pushes.end());
    highest_ = std::max(highest_, static_cast<int>(stack_.size()));
    if (highest_ - run_.low > kMostOperands) return false;
    if (raw.opcode != NOP) run_.steps.push_back(step);
    return true;
  }

  bool describe(const Raw& raw, Step& step, int& pops, std::vector<Known>& pushes) {
    step.first = static_cast<std::uint8_t>(raw.arg >> 4);
    step.second = static_cast<std::uint8_t>(raw.arg & 15);
    switch (raw.opcode) {
      case NOP: return true;
      case LOAD_FAST_LOAD_FAST:
        step.move = Move::push_two;
        pushes = {Known::object, Known::object};
        return true;
      case STORE_FAST_LOAD_FAST:
        step.move = Move::store_and_push;
        return take(1, pops) && push(Known::object, pushes);
      case STORE_FAST_STORE_FAST: step.move = Move::store_two; return take(2, pops);
      default: break;
    }
    step.first = static_cast<std::uint8_t>(raw.arg);
    switch (raw.opcode) {
      case LOAD_FAST:
      case LOAD_FAST_CHECK: step.move = Move::push_local; return push(Known::object, pushes);
      case STORE_FAST: step.move = Move::store_local; return take(1, pops);
      case LOAD_CONST:
        step.move = Move::push_constant;
        step.constant = PyTuple_GET_ITEM(table_.code->co_consts, raw.arg);
        return push(Known::object, pushes);
      case PUSH_NULL: return push_unknown(1, step, pushes);
      case LOAD_GLOBAL:
        step.is_access = is_stored_global(table_.instructions[step.unit].hash);
        push_unknown(1 + (raw.arg & 1), step, pushes);
        if (!step.is_access && is_len(step.unit)) pushes[0] = Known::len;
        return true;
      case CALL:
        step.move = Move::length;
        return raw.arg == 1 && take(3, pops) && at(2) == Known::len && is_object(0) &&
               push(Known::type, pushes);
      case COPY:
        step.move = Move::copy;
        if (!has(static_cast<std::size_t>(raw.arg))) return false;
        run_.low = std::min(run_.low, static_cast<int>(stack_.size()) - raw.arg);
        return push(at(raw.arg - 1), pushes);
      case SWAP: return swap(raw.arg, step, pops, pushes);
      case BUILD_TUPLE:
        step.move = Move::build;
        return take(raw.arg, pops) && push(Known::nothing, pushes);
      default: return describe_access(raw, step, pops, pushes);
    }
  }

  bool describe_access(const Raw& raw, Step& step, int& pops, std::vector<Known>& pushes) {
    switch (raw.opcode) {
      case LOAD_ATTR: return load_attr(raw, step, pops, pushes);
      case STORE_ATTR: return store_attr(raw, step, pops);
      case LOAD_DEREF:
        step.move = Move::cell;
        step.is_access = is_stored_nonlocal(table_.instructions[step.unit].hash);
        return push(Known::object, pushes);
      case BINARY_SUBSCR:
        step.move = Move::load_item;
        return take(2, pops) && is_object(0) && is_object(1) && !has_stored_item_ &&
               push(Known::object, pushes);
      case STORE_SUBSCR:
        step.move = Move::store_item;
        if (!take(3, pops) || !is_object(0) || !is_object(1) || !is_known(2)) return false;
        return has_stored_item_ = true;
      case CONTAINS_OP:
        step.move = Move::contains;
        return take(2, pops) && is_object(0) && is_known(1) && push(Known::type, pushes);
      case IS_OP: step.move = Move::is_same; return take(2, pops) && push(Known::type, pushes);
      case COMPARE_OP:
        step.move = Move::compare;
        step.first = static_cast<std::uint8_t>(raw.arg >> 5);
        return take(2, pops) && is_known(0) && is_known(1) && push(Known::type, pushes);
      case BINARY_OP:
        step.move = Move::calculate;
        step.first = static_cast<std::uint8_t>(raw.arg >= kInPlace ? raw.arg - kInPlace : raw.arg);
        return is_plain_operator(step.first) && take(2, pops) && is_known(0) && is_known(1) &&
               push(Known::type, pushes);
      case TO_BOOL:
      case UNARY_NOT:
        step.move = Move::truth;
        return take(1, pops) && is_known(0) && push(Known::type, pushes);
      default: return false;
    }
  }

  static bool is_plain_operator(int op) {
    return op == NB_ADD || op == NB_AND || op == NB_MULTIPLY || op == NB_OR || op == NB_SUBTRACT ||
           op == NB_XOR || op == NB_REMAINDER;
  }
  bool take(int count, int& pops) const {
    pops = count;
    return has(static_cast<std::size_t>(count));
  }
  static bool push(Known known, std::vector<Known>& pushes) {
    pushes.push_back(known);
    return true;
  }
  static bool push_unknown(int count, Step& step, std::vector<Known>& pushes) {
    step.move = Move::push_unknown;
    step.first = static_cast<std::uint8_t>(count);
    pushes.assign(static_cast<std::size_t>(count), Known::nothing);
    return true;
  }
  bool swap(int place, Step& step, int& pops, std::vector<Known>& pushes) const {
    step.move = Move::swap;
    if (!take(place, pops)) return false;
    pushes.assign(stack_.end() - place, stack_.end());
    std::swap(pushes.front(), pushes.back());
    return true;
  }
  bool load_attr(const Raw& raw, Step& step, int& pops, std::vector<Known>& pushes) const {
    step.move = Move::load_attr;
    if ((raw.arg & 1) != 0 || !take(1, pops) || !is_object(0) || has_stored_item_) return false;
    const PyObject* name = table_.instructions[step.unit].name;
    // Its value is not the one that it will have.
    if (std::find(stored_.begin(), stored_.end(), name) != stored_.end()) return false;
    return push(Known::object, pushes);
  }
  bool store_attr(const Raw&, Step& step, int& pops) {
    step.move = Move::store_attr;
    if (!take(2, pops) || !is_object(0)) return false;
    stored_.push_back(table_.instructions[step.unit].name);
    return true;
  }

  const Code& code_;
  CodeTable& table_;
  Run run_;
  std::vector<Known> stack_;
  std::vector<const PyObject*> stored_;
  int highest_ = 0;
  bool has_stored_item_ = false;
  bool is_open_ = false;
};

}  // namespace

void find_runs(const Code& code, CodeTable& table) { Finder(code, table).find(); }
#endif

}  // namespace gilscope::races
