"""Hangs that the watcher of a recording explained while it ran."""

from __future__ import annotations

from dataclasses import dataclass

LONG_WAIT = "long-wait"
"""Kind of a wait that was only longer than what a snapshot was to be written for."""


@dataclass(frozen=True, slots=True)
class HungThread:
    """A thread of a process that hung.

    Attributes:
        tid: the kernel's id.
        doing: one sentence: what it waited for and who had that.
        python: Python stack, innermost first: file, line, function.
        native: native stack, innermost first: path, offset in it, function; "" if unknown.
        stuck: whether it could not continue.
    """

    tid: int
    doing: str
    python: tuple[tuple[str, int, str], ...]
    native: tuple[tuple[str, int, str], ...]
    stuck: bool


@dataclass(frozen=True, slots=True)
class Hang:
    """One hang.

    Attributes:
        kind: "deadlock", "hang-abandoned-lock", "hang-spinning", or `LONG_WAIT`.
        pid: the process: that of the trace, or a forked child of it.
        headline: who waited for whom, after "deadlock: " or "hang: ".
        advice: what to do.
        suspected: memory did not prove all of it.
        at_ns: when it was found, from the trace's start; of a long wait, when that began.
        threads: all threads, the stuck ones first.
    """

    kind: str
    pid: int
    headline: str
    advice: str
    suspected: bool
    at_ns: int
    threads: tuple[HungThread, ...]
