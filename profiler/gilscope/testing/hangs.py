"""Ends a test that hangs: the watcher explains the hang and sends a signal; the test then fails."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gilscope.target.recording import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

NUMBER = signal.SIGRTMAX - 4
MOST_STACK = 12


class Hangs:
    """Fails the test that runs in the main thread when the process hangs."""

    def __init__(self) -> None:
        self._before: Any = None
        self._status = 0
        self._in_test = False
        self.ended = 0

    @property
    def action(self) -> str:
        """What the watcher is told to do."""
        return f"signal:{int(NUMBER)}"

    def listen(self) -> None:
        """Begin to take the signal."""
        self._before = signal.signal(NUMBER, self._hangs)

    def ignore(self) -> None:
        """Put the handler back."""
        if self._before is not None:
            signal.signal(NUMBER, self._before)

    def begin_test(self) -> None:
        """A test runs from now on."""
        self._in_test = True

    def end_test(self) -> None:
        """It is over."""
        self._in_test = False

    def _hangs(self, _number: int, _frame: FrameType | None) -> None:
        if not self._in_test or not _is_stuck():
            return
        self._in_test = False
        self.ended += 1
        # In words first: the stack of this handler says only where the main thread waited.
        pytest.fail(report(), pytrace=False)

    def end_with(self, status: int) -> None:
        """Let the process end with ``status`` although threads of it hang."""
        self._status = status
        if self.ended:
            register = threading._register_atexit  # type: ignore[attr-defined]  # noqa: SLF001
            register(self._leave)  # before the interpreter waits for threads that never end

    def _leave(self) -> None:
        alive = [one for one in threading.enumerate() if not one.daemon]
        if all(one is threading.main_thread() for one in alive):
            return
        atexit._run_exitfuncs()  # noqa: SLF001 - what the exit would have called
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self._status)


def _is_stuck() -> bool:
    """Whether the main thread is part of the hang: others may be left of an earlier test."""
    last = _last()
    main = threading.main_thread().native_id
    return last is None or any(one["stuck"] and one["tid"] == main for one in last["threads"])


def _last() -> dict[str, Any] | None:
    """Return the last hang that the watcher found."""
    found = session.hang_report()
    hangs = json.loads(found).get("hangs") if found else None
    return hangs[-1] if hangs else None


def report() -> str:
    """Return what the watcher found: who waits for whom, and the stacks of those that are stuck."""
    last = _last()
    if last is None:
        return "the test hangs"
    lines = [last["headline"] or "the test hangs"]
    if last["advice"]:
        lines.append(f"    do: {last['advice']}")
    for thread in last["threads"]:
        if not thread["stuck"]:
            continue
        lines += ["", f"{thread['doing']}:"]
        lines += list(_stack(thread["mixed"] or thread["python"]))
    return "\n".join(lines)


def _stack(frames: list[tuple[str, int, str]]) -> Iterator[str]:
    """Say where a thread is, innermost first, up to where pytest or threading called the test."""
    told = 0
    for file, line, name in frames:
        if "/_pytest/" in file or "/pluggy/" in file or name.endswith("._bootstrap_inner"):
            return
        if line:
            yield f'  File "{file}", line {line}, in {name}'
            told += 1
        if told == MOST_STACK:
            return
