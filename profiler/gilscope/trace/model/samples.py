"""Where threads were in Python, as samples from outside show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U32


class SampledFrame(NamedTuple):
    """A frame of Python code.

    Attributes:
        file: its file.
        line: the line that ran; 0 if unknown.
        name: the function.
    """

    file: str
    line: int
    name: str


def _none() -> I64:
    return np.zeros(0, np.int64)


def _no_numbers() -> U32:
    return np.zeros(0, np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Stretches of time in which the samples of a thread show one stack, by start.

    Attributes:
        rate: samples a second that were asked for; 0: none were.
        by: what took them, such as "py-spy 0.4.3" or "gilscope"; "" if nothing could.
        notes: what is missing, and what to do about it.
        error_ns: how far times may be off.
        count: samples taken, of all threads at a time.
        failed: stacks that could not be read.
        thread: u32[n], a thread's index.
        start: i64[n], when the stack was first seen.
        end: i64[n], when another one, or none, was seen.
        stack: u32[n], position in `stacks`.
        stacks: the innermost frame first.
    """

    rate: int = 0
    by: str = ""
    notes: tuple[str, ...] = ()
    error_ns: int = 0
    count: int = 0
    failed: int = 0
    thread: U32 = field(default_factory=_no_numbers)
    start: I64 = field(default_factory=_none)
    end: I64 = field(default_factory=_none)
    stack: U32 = field(default_factory=_no_numbers)
    stacks: tuple[tuple[SampledFrame, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.start)
