"""Which cache lines several threads write to in turns, and how often they were met there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gilscope.target.hangs.process import UnreadableError
from gilscope.target.sharing.instructions import LONGEST, access_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.target.hangs.process import Process
    from gilscope.target.sharing.instructions import Access
    from gilscope.target.sharing.processor_samples import Sample

LINE = 64
"""Bytes that processors pass to one another as one."""

LEAST_TURNS = 6
"""Times that one thread was met at a line after another one: memory that one thread has after the
other changes hands once, or each time at another address."""

MOST_LINES = 4096
"""That are kept from round to round: those met most often."""

MOST_PLACES = 1 << 16


@dataclass
class Line:
    """One line that was written to.

    Attributes:
        number: Its address by `LINE`.
        before: Samples of each thread when the line was first met.
        samples: At it, by thread.
        writes: Those of them that were at instructions which write.
        addresses: How often each was written to.
        places: Instructions, how often each was met.
        turns: How often a thread was met after another one.
        last: The thread that was met last.
        first_ns: CLOCK_MONOTONIC.
        last_ns: The same.
    """

    number: int
    before: Counter[int]
    samples: Counter[int] = field(default_factory=Counter)
    writes: Counter[int] = field(default_factory=Counter)
    addresses: Counter[int] = field(default_factory=Counter)
    places: Counter[int] = field(default_factory=Counter)
    turns: int = 0
    last: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether at least two threads wrote to it, and took turns."""
        return len(self.writes) > 1 and self.turns >= LEAST_TURNS

    def add(self, sample: Sample, address: int, *, writes: bool) -> None:
        """Note that a thread was met there."""
        self.turns += self.last not in (0, sample.tid)
        self.last = sample.tid
        self.samples[sample.tid] += 1
        self.places[sample.at] += 1
        if writes:
            self.writes[sample.tid] += 1
            self.addresses[address] += 1
        self.first_ns = self.first_ns or sample.time_ns
        self.last_ns = sample.time_ns


class Lines:
    """Collects samples round by round."""

    def __init__(self, process: Process) -> None:
        """Read the instructions of ``process``."""
        self._process = process
        self._accesses: dict[int, Access | None] = {}
        self._lines: dict[int, Line] = {}
        self.total: Counter[int] = Counter()

    def add(self, samples: Iterable[Sample]) -> list[Line]:
        """Take the samples of a round; return the shared lines that were met in it.

        Reading alone is not sharing: every processor may have a copy.
        """
        met: dict[int, Line] = {}
        for sample in sorted(samples, key=lambda one: one.time_ns):
            self.total[sample.tid] += 1
            access = self._access(sample.at)
            if access is None:
                continue
            address = access.address(sample.registers)
            number = address // LINE
            line = self._lines.get(number)
            if line is None:
                if not access.writes:
                    continue
                line = self._lines[number] = Line(number, self.total.copy())
            line.add(sample, address, writes=access.writes)
            met[number] = line
        if len(self._lines) > MOST_LINES:
            self._forget()
        return [line for line in met.values() if line.is_shared]

    def _forget(self) -> None:
        """Keep the half that was met most often."""
        often = sorted(self._lines.values(), key=lambda line: -line.samples.total())
        self._lines = {line.number: line for line in often[: MOST_LINES // 2]}

    def shared(self) -> list[Line]:
        """Return the lines that were shared, the most often met first."""
        found = [line for line in self._lines.values() if line.is_shared]
        return sorted(found, key=lambda line: -line.samples.total())

    def all_samples(self, line: Line, tid: int) -> int:
        """Return how often a thread was met anywhere since a line was first met."""
        return self.total[tid] - line.before[tid] + (tid == next(iter(line.samples)))

    def _access(self, at: int) -> Access | None:
        if at not in self._accesses:
            if len(self._accesses) >= MOST_PLACES:
                self._accesses.clear()
            self._accesses[at] = self._decoded(at)
        return self._accesses[at]

    def _decoded(self, at: int) -> Access | None:
        try:
            code = self._process.read(at - LONGEST, 2 * LONGEST)
        except UnreadableError:
            return None
        return access_at(code, at - LONGEST, at)
