"""Moments at which the GIL was switched on or off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gilscope.trace.arrays import I32, I64, U8, U32, Bools, later
from gilscope.trace.format import GilSwitchFlag
from gilscope.trace.model.intervals import Intervals


@dataclass(frozen=True, eq=False)
class GilSwitches:
    """Moments at which the GIL of a free-threaded build was switched, n of them, by time.

    Attributes:
        thread: i32[n], `Thread.index` of the thread that did it.
        start: i64[n], ns from the trace's start.
        gil: u32[n], key of `Trace.gils`.
        flags: u8[n], `format.GilSwitchFlag`.
        module: n paths of the extension module whose import did it; "" if unknown.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
    """

    thread: I32
    start: I64
    gil: U32
    flags: U8
    module: tuple[str, ...]
    stack: U32

    def __len__(self) -> int:
        return len(self.thread)

    @property
    def on(self) -> Bools:
        """bool[n]: it was switched on."""
        on: Bools = (self.flags & np.uint8(GilSwitchFlag.ON)) != 0
        return on

    @property
    def permanent(self) -> Bools:
        """bool[n]: for the rest of the process."""
        permanent: Bools = (self.flags & np.uint8(GilSwitchFlag.PERMANENT)) != 0
        return permanent

    def shifted(self, ns: int) -> GilSwitches:
        """The same moments, later by ``ns``."""
        return replace(self, start=later(self.start, ns))

    @classmethod
    def empty(cls) -> Self:
        """None."""
        none = Intervals.empty()
        return cls(none.thread, none.start, none.what, none.flags, (), none.stack)
