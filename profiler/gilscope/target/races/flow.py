"""What a function does with what it reads: which values and which branches depend on it.

An abstract run over the bytecode: every value on the operand stack and in a variable is the set of
the instructions that it comes from, kept as the bits of a number.
"""

from __future__ import annotations

import dis
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from gilscope.target.races import branches

if TYPE_CHECKING:
    from types import CodeType

PARAMETER = 1  # the bit of what the caller gave; those of instructions are above it
MOST_INSTRUCTIONS = 6000
WITH_GAP = 16  # bytes at most between what enters a `with` statement and its block
MOST_VISITS = 60  # of one instruction, on average

SOURCES = {
    "LOAD_ATTR", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "BINARY_SUBSCR", "BINARY_SLICE",
    "BINARY_OP", "CONTAINS_OP", "COMPARE_OP", "TO_BOOL", "GET_ITER", "FOR_ITER", "CALL", "CALL_KW",
    "CALL_FUNCTION_EX", "SEND", "LOAD_SUPER_ATTR", "LOAD_FROM_DICT_OR_GLOBALS",
    "LOAD_FROM_DICT_OR_DEREF", "UNPACK_SEQUENCE", "UNPACK_EX", "LIST_EXTEND", "SET_UPDATE",
    "DICT_UPDATE", "DICT_MERGE",
}  # fmt: skip
RETURNS = {"RETURN_VALUE", "YIELD_VALUE"}
NAME_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"}
VARIABLE_STORES = {"STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
# What stands above the value on the stack.
ITEM_STORES = {"STORE_ATTR": 1, "STORE_SUBSCR": 2, "STORE_SLICE": 3}
CONSTANTS = {
    "LOAD_CONST", "LOAD_SMALL_INT", "LOAD_COMMON_CONSTANT", "LOAD_BUILD_CLASS", "PUSH_NULL",
    "LOAD_LOCALS", "LOAD_ASSERTION_ERROR",
}  # fmt: skip


@dataclass
class State:
    """What is known before an instruction."""

    stack: list[int]
    names: dict[str, int]

    def join(self, other: State) -> bool:
        """Take ``other`` in; whether that changed anything."""
        changed = False
        for i in range(min(len(self.stack), len(other.stack))):
            both = self.stack[i] | other.stack[i]
            changed |= both != self.stack[i]
            self.stack[i] = both
        for name, mask in other.names.items():
            both = self.names.get(name, 0) | mask
            changed |= both != self.names.get(name)
            self.names[name] = both
        return changed

    def copy(self) -> State:
        """Return one that can be changed."""
        return State(list(self.stack), dict(self.names))


@dataclass
class Flow:
    """The dependencies of one code object; places are offsets in bytes.

    Attributes:
        values: What flows into what an instruction stores, or into the arguments of a call.
        guards: What decides whether an instruction is reached.
        returned: What the caller can tell from the result.
        constants: Stores of a constant.
        loops: Tests that a loop goes on by.
        one_pass: The instructions as they follow each other while no loop goes back.
    """

    code: CodeType
    bits: dict[int, int]
    values: dict[int, int] = field(default_factory=dict)
    guards: dict[int, int] = field(default_factory=dict)
    returned: int = 0
    constants: set[int] = field(default_factory=set)
    loops: int = 0
    one_pass: branches.Graph | None = None
    _guards_of_pass: dict[int, int] = field(default_factory=dict)

    def bit(self, offset: int) -> int:
        """Return the bit of an instruction; 0 if there is none."""
        return self.bits.get(offset, 0)

    def flows(self, source: int, target: int) -> bool:
        """Whether what one instruction gives flows into what another one stores or is given."""
        return bool(self.values.get(target, 0) & self.bit(source))

    def guards_it(self, source: int, target: int) -> bool:
        """Whether what one instruction gives decides whether another one is reached."""
        return bool(self.guards.get(target, 0) & self.bit(source))

    def guards_in_one_pass(self, target: int) -> int:
        """Return what decides whether an instruction is reached, earlier rounds of loops apart."""
        if not self._guards_of_pass and self.one_pass is not None:
            places = list(self.bits)
            for i, mask in self.one_pass.guards().items():
                self._guards_of_pass[places[i]] = mask
        return self._guards_of_pass.get(target, 0)

    def is_returned(self, source: int) -> bool:
        """Whether the caller can tell what an instruction gave."""
        return bool(self.returned & self.bit(source))

    def from_caller(self, target: int) -> bool:
        """Whether what an instruction stores, or a call is given, comes from the caller."""
        return bool(self.values.get(target, 0) & PARAMETER)


class _Analysis:
    """One abstract run."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.instructions = list(dis.get_instructions(code))
        self.index = {ins.offset: i for i, ins in enumerate(self.instructions)}
        self.bits = {ins.offset: 2 << i for i, ins in enumerate(self.instructions)}
        self.flow = Flow(code, self.bits)
        self.states: dict[int, State] = {}
        self.tests: dict[int, int] = {}
        self.handlers = _handlers(code, self.instructions)

    def run(self) -> Flow:
        """Run to the fixed point, then find what is guarded by what."""
        if not self.instructions or len(self.instructions) > MOST_INSTRUCTIONS:
            return self.flow
        count = self.code.co_argcount + self.code.co_kwonlyargcount
        count += bool(self.code.co_flags & 4) + bool(self.code.co_flags & 8)
        names = dict.fromkeys(self.code.co_varnames[:count], PARAMETER)
        self.states[0] = State([], names)
        work = [0]
        budget = MOST_VISITS * len(self.instructions)
        while work and budget:
            budget -= 1
            self._step(work.pop(), work)
        caught = {
            self.index[target]: self._range_mask(begin, end)
            for begin, end, target, _ in self.handlers
            if target in self.index
        }
        following = self._successors()
        onward = [[j for j in after if j > i] for i, after in enumerate(following)]
        self.flow.one_pass = branches.Graph(onward, self.tests, caught)
        graph = branches.Graph(following, self.tests, caught)
        for i, mask in graph.guards().items():
            self.flow.guards[self.instructions[i].offset] = mask
        for i in graph.loop_tests():
            self.flow.loops |= self.tests.get(i, 0)
        tells = self._tells_by_return()
        for i, ins in enumerate(self.instructions):
            if ins.opname in RETURNS or ins.opname == "RETURN_CONST":
                if tells:
                    self.flow.returned |= self.flow.guards.get(ins.offset, 0)
                if ins.opname != "RETURN_CONST" and i in self.states and self.states[i].stack:
                    self.flow.returned |= self.states[i].stack[-1]
        return self.flow

    def _tells_by_return(self) -> bool:
        """Whether the caller can tell from the result which way the function went.

        It cannot if every way returns the same constant, as those of a procedure do.
        """
        constants = [ins.argval for ins in self.instructions if ins.opname == "RETURN_CONST"]
        if any(ins.opname in RETURNS for ins in self.instructions):
            return True
        return any(one is not constants[0] for one in constants)

    def _range_mask(self, begin: int, end: int) -> int:
        mask = 0
        for ins in self.instructions:
            if begin <= ins.offset < end and ins.opname in SOURCES:
                mask |= self.bits[ins.offset]
        return mask

    def _successors(self) -> list[list[int]]:
        following: list[list[int]] = []
        for i, ins in enumerate(self.instructions):
            after = [] if _ends(ins) else [i + 1]
            if (target := _jump_target(ins)) in self.index:
                after.append(self.index[target])
            following.append([j for j in after if j < len(self.instructions)])
        return following

    def _step(self, i: int, work: list[int]) -> None:
        ins = self.instructions[i]
        before = self.states[i]
        for begin, end, target, depth in self.handlers:
            if begin <= ins.offset < end and target in self.index:
                kept = before.stack[:depth]
                stack = kept + [0] * (depth - len(kept)) + [0, 0]
                self._reach(self.index[target], State(stack, dict(before.names)), work)
        target = _jump_target(ins)
        if target in self.index:
            state = before.copy()
            self._execute(i, ins, state, jump=True)
            self._reach(self.index[target], state, work)
        if not _ends(ins) and i + 1 < len(self.instructions):
            state = before.copy()
            self._execute(i, ins, state, jump=False)
            self._reach(i + 1, state, work)

    def _reach(self, i: int, state: State, work: list[int]) -> None:
        known = self.states.get(i)
        if known is None:
            self.states[i] = state
            work.append(i)
        elif known.join(state):
            work.append(i)

    def _execute(self, i: int, ins: dis.Instruction, state: State, *, jump: bool) -> None:
        name, stack = ins.opname, state.stack
        own = self.bits[ins.offset] if name in SOURCES else 0
        effect = _effect(ins, jump=jump)
        if name == "RETURN_GENERATOR":  # what is sent at first, which is None
            _push(stack, 0)
        elif name.startswith(("LOAD_FAST", "STORE_FAST")):
            self._fast(ins, state)
        elif name.startswith("CALL"):
            self._call(ins, stack, own, effect)
        elif name.startswith("POP_JUMP"):
            self.tests[i] = self.tests.get(i, 0) | _pop(stack)
        elif name in ("COPY", "SWAP", "POP_TOP", "END_FOR"):
            _shuffle(ins, stack)
        elif name in CONSTANTS or name in NAME_LOADS or name == "LOAD_ATTR":
            self._load(ins, state, own, effect)
        elif name in VARIABLE_STORES or name in ITEM_STORES:
            self._store(ins, state, i)
        else:
            if name == "FOR_ITER":
                self.tests[i] = self.tests.get(i, 0) | own | (stack[-1] if stack else 0)
            self._generic(stack, own, effect, ins)

    def _load(self, ins: dis.Instruction, state: State, own: int, effect: int) -> None:
        stack = state.stack
        if ins.opname in CONSTANTS:
            _push(stack, *([0] * max(effect, 1)))
        elif ins.opname == "LOAD_ATTR":
            owner = _pop(stack) & ~PARAMETER
            _push(stack, own | owner, *([owner] * effect))
        else:
            value = state.names.get(str(ins.argval), 0)
            _push(stack, own | value, *([0] * (effect - 1)))

    def _store(self, ins: dis.Instruction, state: State, i: int) -> None:
        for _ in range(ITEM_STORES.get(ins.opname, 0)):
            _pop(state.stack)
        value = self._stored(ins, _pop(state.stack), i)
        if ins.opname in VARIABLE_STORES:
            state.names[str(ins.argval)] = value

    def _fast(self, ins: dis.Instruction, state: State) -> None:
        """LOAD_FAST and STORE_FAST in all their forms, two at once included."""
        names = ins.argval if isinstance(ins.argval, tuple) else (ins.argval,)
        words = ins.opname.replace("_AND_CLEAR", "").replace("_CHECK", "").replace("_BORROW", "")
        doing = [word for word in words.split("_") if word in ("LOAD", "STORE")]
        for what, name in zip(doing, names, strict=False):
            if what == "LOAD":
                _push(state.stack, state.names.get(name, 0))
            else:
                state.names[name] = _pop(state.stack)

    def _stored(self, ins: dis.Instruction, mask: int, i: int) -> int:
        values = self.flow.values
        values[ins.offset] = values.get(ins.offset, 0) | mask
        before = self.instructions[max(i - 2, 0) : i]
        if mask == 0 and any(one.opname in ("LOAD_CONST", "LOAD_SMALL_INT") for one in before):
            self.flow.constants.add(ins.offset)
        return mask

    def _call(self, ins: dis.Instruction, stack: list[int], own: int, effect: int) -> None:
        taken = 0
        for _ in range(1 - effect):
            taken |= _pop(stack)
        values = self.flow.values
        values[ins.offset] = values.get(ins.offset, 0) | taken
        _push(stack, own | (taken & ~PARAMETER))

    def _generic(self, stack: list[int], own: int, effect: int, ins: dis.Instruction) -> None:
        """Anything else: all that is given depends on all that is taken."""
        taken = 0
        count = 1 - effect if effect <= 0 else min(1, len(stack))
        for _ in range(count):
            taken |= _pop(stack)
        if own or ins.opname == "DELETE_SUBSCR":
            values = self.flow.values
            values[ins.offset] = values.get(ins.offset, 0) | taken
        if ins.opname.startswith(("DELETE_", "RETURN", "STORE_")):
            return
        _push(stack, *([own | taken] * (count + effect)))


def _shuffle(ins: dis.Instruction, stack: list[int]) -> None:
    place = ins.arg or 0
    if ins.opname == "COPY":
        stack.append(stack[-place] if place <= len(stack) else 0)
    elif ins.opname != "SWAP":
        _pop(stack)
    elif place <= len(stack):
        stack[-1], stack[-place] = stack[-place], stack[-1]


def _push(stack: list[int], *masks: int) -> None:
    stack.extend(masks)


def _pop(stack: list[int]) -> int:
    return stack.pop() if stack else 0


def _effect(ins: dis.Instruction, *, jump: bool) -> int:
    argument = ins.arg if ins.opcode >= dis.HAVE_ARGUMENT or ins.arg is not None else None
    try:
        return dis.stack_effect(ins.opcode, argument, jump=jump)
    except ValueError:
        return dis.stack_effect(ins.opcode, None, jump=jump)


def _ends(ins: dis.Instruction) -> bool:
    name = ins.opname
    if name == "RETURN_GENERATOR":  # the code of generators and coroutines goes on behind it
        return False
    return name.startswith(("RETURN", "RERAISE", "RAISE", "JUMP_FORWARD", "JUMP_BACKWARD"))


def _jump_target(ins: dis.Instruction) -> int:
    target = getattr(ins, "jump_target", None)
    return -1 if target is None else target


def _handlers(
    code: CodeType, instructions: list[dis.Instruction]
) -> list[tuple[int, int, int, int]]:
    """Return (begin, end, target, depth) of what exceptions lead to, `with` statements apart."""
    names = {ins.offset: ins.opname for ins in instructions}
    after = {a.offset: b.opname for a, b in pairwise(instructions)}
    found = []
    for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined] # noqa: SLF001
        is_with = names.get(entry.target) == "PUSH_EXC_INFO" and after.get(entry.target) == (
            "WITH_EXCEPT_START"
        )
        if names.get(entry.target) == "PUSH_EXC_INFO" and not is_with:
            found.append((entry.start, entry.end, entry.target, entry.depth))
    return found


_known: dict[CodeType, Flow] = {}


def of(code: CodeType) -> Flow:
    """Return the dependencies of a code object."""
    # By identity: equal code objects of two places have two offsets each, but the same ones.
    if code not in _known:
        _known[code] = _Analysis(code).run()
    return _known[code]


def instructions(code: CodeType) -> list[dis.Instruction]:
    """Return the instructions of a code object."""
    return list(dis.get_instructions(code))


def with_blocks(code: CodeType) -> list[tuple[int, int, int]]:
    """Return the blocks of `with` statements: what enters each, and where it begins and ends."""
    known = instructions(code)
    entries = getattr(dis.Bytecode(code), "exception_entries", ())  # no type stub has it
    blocks = []
    for one, after in pairwise(known):
        enters = one.opname == "BEFORE_WITH" or (
            one.opname == "LOAD_SPECIAL" and "__enter__" in str(one.argrepr)
        )
        if enters:
            blocks += [
                (one.offset, entry.start, max(e.end for e in entries if e.target == entry.target))
                for entry in entries
                if after.offset <= entry.start <= after.offset + WITH_GAP
            ]
    return blocks


def forget() -> None:
    """Let go of the code objects."""
    _known.clear()
