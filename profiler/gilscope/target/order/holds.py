"""Holds threads at given instructions until one is at each of them, and lets them go together.

This makes a deadlock strike that chance alone brings about once in a long time. It changes no lock
and no call: it takes time at an instruction, as a busy machine could.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from gilscope.target.monitoring import take_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

HOLD_SECONDS = 1.0
MOST_HOLDS = 5
"""At a place: a thread that nobody meets is held up for so many times the above at most."""
MOST_MEETINGS = 200
STEP_SECONDS = 0.001
TOOL = "gilscope lock-order"
UNIT = 2  # bytes of an instruction


class Place(NamedTuple):
    """An instruction.

    Attributes:
        file, function, first_line: Of its code object.
        instruction: In units of 2 bytes.
    """

    file: str
    function: str
    first_line: int
    instruction: int


class Holds:
    """Where threads are held, and how often that came about.

    Args:
        places: One for each thread that is needed; a place may stand there twice.
    """

    def __init__(self, places: list[Place]) -> None:
        self._needed = Counter(places)
        self._codes = {place[:3] for place in places}
        self._lock = _thread.allocate_lock()
        self._waiting: Counter[Place] = Counter()
        self._turn = 0
        self.vain: Counter[Place] = Counter()
        self.meetings = 0

    def is_in(self, code: CodeType) -> bool:
        """Whether a place is in this code."""
        return (code.co_filename, code.co_qualname, code.co_firstlineno) in self._codes

    def place(self, code: CodeType, offset: int) -> Place | None:
        """Return the place at an offset in bytes, if there is one and threads are held there."""
        place = Place(code.co_filename, code.co_qualname, code.co_firstlineno, offset // UNIT)
        spent = self.meetings >= MOST_MEETINGS or self.vain[place] >= MOST_HOLDS
        return None if spent or place not in self._needed else place

    def hold(self, place: Place) -> None:
        """Hold the calling thread here until the others are at their places, or time is up."""
        with self._lock:
            turn = self._turn
            self._waiting[place] += 1
            if self._waiting >= self._needed:
                self.meetings += 1
                self._turn += 1
                self._waiting.clear()
                return
        end = time.monotonic() + HOLD_SECONDS
        while time.monotonic() < end:
            time.sleep(STEP_SECONDS)
            if self._turn != turn:
                return
        with self._lock:
            if self._turn == turn:
                self._waiting[place] -= 1
                self.vain[place] += 1


@contextlib.contextmanager
def holding(places: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """Hold threads at the places while the block runs.

    Args:
        places: For each thread that is needed the fields of its `Place`.

    Yields:
        ``meetings``, how often all were there, and ``came``, for each place whether a thread came;
        filled at the end.

    Raises:
        ProbeError: Another tool has taken all ids for tools.
    """
    wanted = [Place(*place) for place in places]
    holds = Holds(wanted)
    came: set[Place] = set()
    monitoring = sys.monitoring
    tool = take_tool(TOOL)

    def start(code: CodeType, _offset: int) -> Any:
        if holds.is_in(code):
            monitoring.set_local_events(tool, code, monitoring.events.INSTRUCTION)
        return monitoring.DISABLE

    def instruction(code: CodeType, offset: int) -> Any:
        place = holds.place(code, offset)
        if place is None:
            return monitoring.DISABLE
        came.add(place)
        holds.hold(place)
        return None

    result: dict[str, Any] = {}
    try:
        monitoring.register_callback(tool, monitoring.events.PY_START, start)
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, instruction)
        monitoring.set_events(tool, monitoring.events.PY_START)
        yield result
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
        result["meetings"] = holds.meetings
        result["came"] = [place in came for place in wanted]
