"""Our own sampler: a process that reads the Python stacks of another one's threads, at a rate.

It stops nothing. A stack that changed while it was read is read again, and else left out.
"""

from __future__ import annotations

import json
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError
from gilscope.target.hangs.interpreter import INTERPRETER_OWNS, Interpreter
from gilscope.target.hangs.native_stacks import NativeStacks
from gilscope.target.hangs.process import WORD, Process, UnreadableError
from gilscope.target.hangs.sampling.found import Found

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FRAMES = 256
TRIES = 3
REST = 3
"""It rests for so many times what a look takes, at least: it never takes more than a quarter."""

_SHIM = -1
SECOND_NS = 1_000_000_000


class StackReader:
    """Reads the stacks of all threads of one process, again and again."""

    def __init__(self, process: Process, found: Found) -> None:
        """Find the interpreter.

        Raises:
            NoProcessError: There is none that is known.
        """
        self._process, self._found = process, found
        self._interpreter = Interpreter(process, NativeStacks(process))
        offsets = self._interpreter.offsets
        names = ("executable", "previous", "instr", "owner")
        self._executable, self._previous, self._instr, self._owner = (
            offsets[f"frame.{name}"] for name in names
        )
        self._frame_size = max(self._executable, self._previous, self._instr, self._owner) + WORD
        self._code = tuple(offsets[f"code.{name}"] for name in ("qualname", "linetable"))
        self._code_begin = min(self._code)
        self._code_size = max(self._code) + WORD - self._code_begin
        self._known: dict[tuple[int, ...], int] = {}

    def look(self) -> dict[int, int]:
        """Return the number of the stack of each thread that runs Python, by its id."""
        stacks: dict[int, int] = {}
        for state in self._interpreter.threads():
            if not state.frame:
                continue
            stack = self._stable(state.address)
            if stack:
                stacks[state.tid] = self._found.stack(stack)
            elif stack is None:
                self._found.failed += 1
        self._found.samples += 1
        return stacks

    def _stable(self, state: int) -> tuple[int, ...] | None:
        """Return a stack that did not change while it was read; None if it always did."""
        at = state + self._interpreter.offsets["thread.frame"]
        for _ in range(TRIES):
            try:
                first = self._process.number(at)
                stack = self._stack(first)
                if self._process.number(at) == first:
                    return stack
            except UnreadableError:
                continue
        return None

    def _stack(self, address: int) -> tuple[int, ...]:
        places = []
        for _ in range(MOST_FRAMES):
            if not address:
                break
            data = self._process.read(address, self._frame_size)
            if data[self._owner] < INTERPRETER_OWNS:
                place = self._place(address, data)
                if place != _SHIM:
                    places.append(place)
            address = _word(data, self._previous)
        return tuple(places)

    def _place(self, address: int, frame: bytes) -> int:
        """Return the number of a frame's place, or `_SHIM`.

        Another code object may have come to its address: its name and line table tell them apart.
        """
        executable, instr = _word(frame, self._executable), _word(frame, self._instr)
        code = executable & ~3
        data = self._process.read(code + self._code_begin, self._code_size)
        key = (code, instr, *(_word(data, at - self._code_begin) for at in self._code))
        place = self._known.get(key)
        if place is None:
            read = self._interpreter.frame(address, executable, instr)
            told = (read.file, read.line, read.name)
            place = self._known[key] = _SHIM if read.is_shim else self._found.place(told)
        return place


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + WORD], "little")


def sample(
    pid: int, rate: int, found: Found, wait: Callable[[float], bool], began: Callable[[], object]
) -> None:
    """Sample a process until it ends, or until ``wait(seconds)`` returns True.

    Args:
        pid: The process.
        rate: Samples a second.
        found: Takes the samples.
        wait: Waits.
        began: Called when the process is known.

    Raises:
        GilscopeError: It cannot be read.
    """
    period = SECOND_NS // rate
    last: dict[int, tuple[int, int]] = {}
    with Process(pid) as process:
        reader = StackReader(process, found)
        began()
        due = time.monotonic_ns()
        while not wait(max(due - time.monotonic_ns(), 0) / SECOND_NS):
            now = time.monotonic_ns()
            try:
                stacks = reader.look()
            except UnreadableError:
                # The list of threads changed, or the process has ended.
                if not process.tasks():
                    break
                stacks = {}
            end = time.monotonic_ns()
            last = _merged(found, last, stacks, now)
            due = max(due + period, end + REST * (end - now))
            if found.full:
                break
        _merged(found, last, {}, time.monotonic_ns())


def _merged(
    found: Found, last: dict[int, tuple[int, int]], stacks: dict[int, int], now: int
) -> dict[int, tuple[int, int]]:
    """Go on with the stretches of threads that are where they were, and end the others."""
    going = {}
    for thread, (stack, begin) in last.items():
        if stacks.get(thread) == stack:
            going[thread] = stack, begin
        else:
            found.add(thread, begin, now, stack)
    for thread, stack in stacks.items():
        going.setdefault(thread, (stack, now))
    return going


def main() -> None:
    """Sample the process that the arguments name until the input ends; print what was found."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pid, rate = int(sys.argv[2]), int(sys.argv[3])
    found = Found("gilscope", "tid")

    def wait(seconds: float) -> bool:
        return bool(select.select([sys.stdin], [], [], seconds)[0])

    def began() -> None:
        # JSON may begin with it; that there is something says that samples are taken.
        sys.stdout.write("\n")
        sys.stdout.flush()

    try:
        sample(pid, rate, found, wait, began)
    except (GilscopeError, OSError) as error:
        if not found.rows:
            sys.stderr.write(f"{error}\n")
            sys.exit(1)
    json.dump(found.data(), sys.stdout)
    sys.stdout.flush()
