"""Replays what threads did on a number of processors that they share evenly.

A thread is a program: a list of steps that it takes one after the other. Where more threads want to
run than there are processors, all of them run at the same reduced speed, as under a fair scheduler
with short time slices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(IntEnum):
    """What a step does."""

    RUN = 0  # takes that many ns of a processor's time
    PASS = 1  # takes that many ns, and no processor
    REACH = 2  # reaches the milestone of this number
    AWAIT = 3  # waits until another thread has reached that milestone


class Step(NamedTuple):
    """One step of a program."""

    kind: Kind
    value: float


@dataclass
class Replay:
    """A replay that has come to its end.

    Attributes:
        ends: When each program had ended, ns from the start; infinite if it never did.
        reached: When each milestone was reached, ns from the start.
        forced: How many times a thread had to be let go on although nobody reached its milestone.
    """

    ends: list[float]
    reached: dict[int, float] = field(default_factory=dict)
    forced: int = 0


def replay(programs: Sequence[Sequence[Step]], processors: float) -> Replay:
    """Run all programs from the same moment on.

    Args:
        programs: One a thread.
        processors: How many threads can run at full speed at a time; a part of one is slower.
    """
    state = _State(programs, processors)
    for number in range(len(programs)):
        state.go_on(number)
    state.run()
    return state.result


class _State:
    def __init__(self, programs: Sequence[Sequence[Step]], processors: float) -> None:
        self.programs = programs
        self.processors = processors
        self.result = Replay([inf] * len(programs))
        self.positions = [0] * len(programs)
        self.now = 0.0
        self.done = 0.0  # ns of a processor that each thread has had that ran all the time
        self.running: list[tuple[float, int]] = []  # value of `done` at which it ends, thread
        self.passing: list[tuple[float, int]] = []  # time at which it ends, thread
        self.waiting: dict[int, list[int]] = {}  # threads by milestone

    def run(self) -> None:
        """Let time go by until all programs have ended."""
        while self.running or self.passing or self.waiting:
            if not self.running and not self.passing:
                self.force()
                continue
            speed = min(1.0, self.processors / max(len(self.running), 1))
            ran = self.now + (self.running[0][0] - self.done) / speed if self.running else inf
            passed = self.passing[0][0] if self.passing else inf
            then = max(min(ran, passed), self.now)
            if ran <= passed:
                self.done, thread = heappop(self.running)
            else:
                self.done += (then - self.now) * speed
                _, thread = heappop(self.passing)
            self.now = then
            self.go_on(thread)

    def go_on(self, first: int) -> None:
        """Let a thread, and all that it wakes, take steps until each of them has to wait."""
        ready = [first]
        while ready:
            thread = ready.pop()
            program = self.programs[thread]
            while self.positions[thread] < len(program):
                kind, value = program[self.positions[thread]]
                if kind == Kind.AWAIT and value not in self.result.reached:
                    self.waiting.setdefault(int(value), []).append(thread)
                    break
                self.positions[thread] += 1
                if kind == Kind.REACH:
                    self.result.reached[int(value)] = self.now
                    ready += self.waiting.pop(int(value), ())
                elif kind == Kind.RUN and value > 0:
                    heappush(self.running, (self.done + value, thread))
                    break
                elif kind == Kind.PASS and value > 0:
                    heappush(self.passing, (self.now + value, thread))
                    break
            else:
                self.result.ends[thread] = self.now

    def force(self) -> None:
        """Let the threads go on that wait for the first of all milestones that are waited for."""
        milestone = min(self.waiting)
        self.result.forced += 1
        self.result.reached[milestone] = self.now
        for thread in self.waiting.pop(milestone):
            self.go_on(thread)
