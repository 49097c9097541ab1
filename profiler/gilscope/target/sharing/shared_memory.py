"""Memory that threads of a recorded process share on several processors: what it is, and where."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.demangling import demangle
from gilscope.errors import GilscopeError
from gilscope.target.hangs.interpreter import Interpreter
from gilscope.target.hangs.names import is_system
from gilscope.target.hangs.native_stacks import NativeStacks
from gilscope.target.hangs.picture import own_frame
from gilscope.target.hangs.process import Process, UnreadableError
from gilscope.target.sharing.lines import Lines
from gilscope.target.sharing.object_names import ObjectName, name_at
from gilscope.target.sharing.pools import Pools
from gilscope.target.sharing.processor_samples import PERIOD_NS, ProcessorSamples
from gilscope.target.sharing.switches import Switches

if TYPE_CHECKING:
    from gilscope.target.hangs.interpreter import PythonFrame
    from gilscope.target.sharing.lines import Line

MOST_LOOKS = 50
"""Rounds in which Python stacks are read to see where threads are."""

MAPS_ROUNDS = 4
"""After so many rounds it is looked at what the process has loaded."""

MOST_REPORTED = 16
LEAST_SAMPLES = 10
LOCKS = ("pthread", "lll_", "futex", "mutex", "parking", "semaphore", "sem_")
"""In names of functions that wait for locks: such waits are recorded as events."""


class SharedMemory:
    """Looks at one process, round by round, until it is closed."""

    def __init__(self, pid: int) -> None:
        """Begin.

        Raises:
            OSError: It is not allowed here.
            GilscopeError: The process cannot be read.
        """
        self._pid = pid
        self._process = Process(pid)
        self._samples: ProcessorSamples | None = None
        try:
            self._samples = ProcessorSamples(pid)
        except BaseException:
            self._process.close()
            raise
        self._lines = Lines(self._process)
        self._natives = NativeStacks(self._process)
        self._interpreter: Interpreter | None = None
        self._names: dict[int, ObjectName] = {}  # by line
        self._python: dict[int, dict[int, Counter[str]]] = {}  # by line and thread: lines of Python
        self._looks = self._rounds = 0
        self._pools = Pools(self._process, self._natives)
        self._switches = Switches(pid)
        self._rested_s = 0.0
        self._rests_since = 0.0

    def close(self) -> None:
        """End."""
        self._rest()
        self._process.close()

    @property
    def samples(self) -> bool:
        """Whether the kernel samples now."""
        return self._samples is not None

    def look(self) -> bool:
        """Take what the kernel has sampled since; return whether there is something new.

        While the threads change on the processors too often for it, nothing is sampled.
        """
        self._rounds += 1
        if self._rounds % MAPS_ROUNDS == 0:
            self._process.forget_maps()
        samples = list(self._samples.take()) if self._samples is not None else []
        if self._switches.often():
            self._rest()
        elif self._samples is None:
            self._go_on()
        shared = self._lines.add(samples)
        self._pools.add(samples)
        if shared and self._looks < MOST_LOOKS:
            self._looks += 1
            with contextlib.suppress(GilscopeError, OSError, ValueError):
                self._look_at_threads(shared)
        return bool(shared) or self._pools.are_used or self._rested > 0

    def _rest(self) -> None:
        if self._samples is not None:
            self._samples.close()
            self._samples = None
            self._rests_since = time.monotonic()

    def _go_on(self) -> None:
        with contextlib.suppress(OSError):
            self._samples = ProcessorSamples(self._pid)
            self._rested_s += time.monotonic() - self._rests_since

    @property
    def _rested(self) -> float:
        """For how long nothing was sampled, seconds."""
        now = 0.0 if self._samples is not None else time.monotonic() - self._rests_since
        return self._rested_s + now

    def _look_at_threads(self, shared: list[Line]) -> None:
        if self._interpreter is None:
            self._interpreter = Interpreter(self._process, self._natives)
        interpreter = self._interpreter
        stacks = {
            state.tid: interpreter.stack(state)
            for state in interpreter.threads()
            if any(state.tid in line.samples for line in shared)
        }
        for line in shared:
            self._note_places(line, stacks)
            known = self._names.get(line.number)
            if known is None or not known.variable:
                near = [stacks[tid] for tid in line.samples if tid in stacks]
                self._name(interpreter, line, near)

    def _note_places(self, line: Line, stacks: dict[int, list[PythonFrame]]) -> None:
        places = self._python.setdefault(line.number, {})
        for tid in line.samples:
            frame = own_frame(stacks.get(tid, []))
            if frame:
                counts = places.setdefault(tid, Counter())
                counts[f"{Path(frame.file).name}:{frame.line} in {frame.name}"] += 1

    def _name(self, interpreter: Interpreter, line: Line, stacks: list[list[PythonFrame]]) -> None:
        """Find the object that most of the writes to a line were to, if it is one of Python's."""
        for address, _ in line.addresses.most_common(3):
            found = name_at(interpreter, address, stacks)
            if found is not None:
                self._names[line.number] = found
                return

    def data(self) -> dict[str, object]:
        """Return what was found as it stands in the metadata of a trace."""
        found: dict[str, object] = {}
        if lines := self._shared_lines():
            found["shared_memory"] = lines
        if self._pools.are_used:
            found["pools"] = self._pools.data()
        if self._rested > 0:
            found["not_sampled_ns"] = int(self._rested * 1e9)
        return found

    def _shared_lines(self) -> list[dict[str, object]]:
        """Return the lines that were shared, the most often met first."""
        chosen = [one for one in self._lines.shared() if one.samples.total() >= LEAST_SAMPLES]
        described = (self._described(one) for one in chosen[:MOST_REPORTED])
        return [one for one in described if one is not None]

    def _described(self, line: Line) -> dict[str, object] | None:
        functions = self._functions(line)
        if not functions or self._is_lock(functions):
            return None
        known = self._names.get(line.number) or ObjectName("", self._static(line), counted=False)
        places = self._python.get(line.number, {})
        return {
            "kind": known.kind,
            "name": known.variable,
            "counted": known.counted,
            "address": line.addresses.most_common(1)[0][0],
            "functions": [list(one) for one, _ in functions.most_common(4)],
            "period_ns": PERIOD_NS,
            "first_monotonic_ns": line.first_ns,
            "last_monotonic_ns": line.last_ns,
            "threads": [
                {
                    "tid": tid,
                    "samples": count,
                    "of": self._lines.all_samples(line, tid),
                    "python": [text for text, _ in places.get(tid, Counter()).most_common(1)],
                }
                for tid, count in line.samples.most_common(MOST_REPORTED)
            ],
        }

    def _functions(self, line: Line) -> Counter[tuple[str, str]]:
        """Return function and file of the instructions, as often as each was met."""
        found: Counter[tuple[str, str]] = Counter()
        for at, count in line.places.most_common(MOST_REPORTED):
            image = self._natives.image(at)
            mapping = self._process.mapping(at)
            if image and mapping:
                symbol = demangle(image[0].function(at - image[1]))
                found[symbol, mapping.path] += count
        return found

    def _is_lock(self, functions: Counter[tuple[str, str]]) -> bool:
        """Whether the line is that of a lock, of which waits are recorded."""
        waits = sum(
            count
            for (function, path), count in functions.items()
            if is_system(path) and any(part in function.lower() for part in LOCKS)
        )
        return 2 * waits > functions.total()

    def _static(self, line: Line) -> str:
        """Return the symbol of a static variable; "" if it is none."""
        address = line.addresses.most_common(1)[0][0]
        with contextlib.suppress(UnreadableError):
            image = self._natives.image(address)
            if image:
                return image[0].function(address - image[1])
        return ""
