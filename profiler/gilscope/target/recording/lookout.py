"""Says from outside that a watched program hangs: it waits for ever, and its report with it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING

from gilscope.target.hangs import words
from gilscope.target.hangs.watch import Watch
from gilscope.target.recording import beside
from gilscope.target.recording.self_test import interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_SECONDS = 0.5
HOW_TO_END = (
    "the report of this run follows when it has ended: Ctrl-C, twice if threads wait for ever\n"
)
_CODE = """
from gilscope.target.recording.lookout import main
main(int({pid}))
"""


@contextlib.contextmanager
def hangs_are_said() -> Iterator[None]:
    """Have a process beside this one say so on standard error if this one hangs in the block."""
    process = os.getpid()
    try:
        end = _start()
    except Exception:  # noqa: BLE001 - whatever it is, the program is watched all the same
        end = -1
    try:
        yield
    finally:
        if end >= 0 and os.getpid() == process:  # a forked child leaves it to its parent
            with contextlib.suppress(OSError):  # the program may close what it did not open
                os.eventfd_write(end, 1)
                os.close(end)


def _start() -> int:
    """Start the process; return the descriptor that ends it, or -1."""
    from gilscope import _probe  # noqa: PLC0415 - loaded by those who use it

    interpreter = next(iter(interpreters()), None)
    if interpreter is None:
        return -1
    end = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    if beside.start(_probe, interpreter, _CODE.format(pid=os.getpid()), end):
        return end
    os.close(end)
    return -1


def main(pid: int) -> None:
    """Look until the process has ended, or says that it needs no more."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    watch, told = Watch(pid, time.monotonic), False
    while not select.select([process, beside.MEMORY], [], [], LOOK_SECONDS)[0]:
        with contextlib.suppress(OSError):  # it has just ended
            report = watch.look()
            if report is not None:
                text = f"{report.headline}\n" if told else words.text(report)
                sys.stderr.write(f"gilscope: {text}gilscope: {HOW_TO_END}")
                sys.stderr.flush()
                told = True
