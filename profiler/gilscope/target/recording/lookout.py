"""Says from outside that a watched program hangs: it waits for ever, and its report with it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING

from gilscope.target.descriptors import OwnDescriptor
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
    end = None
    # Whatever goes wrong here, the program is watched all the same.
    with contextlib.suppress(Exception):
        end = _start()
    try:
        yield
    finally:
        if end is not None and os.getpid() == process:  # a forked child leaves it to its parent
            with contextlib.suppress(OSError):
                if end.number >= 0:
                    os.ftruncate(end.number, 1)
                end.close()


def _start() -> OwnDescriptor | None:
    """Start the process; return the memory that ends it when it has a size, if it could start."""
    from gilscope import _probe  # noqa: PLC0415 - loaded by those who use it

    interpreter = next(iter(interpreters()), None)
    if interpreter is None:
        return None
    # No eventfd: all of these have one inode, so another one could not be told from it.
    end = OwnDescriptor(os.memfd_create("gilscope-lookout", os.MFD_CLOEXEC))
    if beside.start(_probe, interpreter, _CODE.format(pid=os.getpid()), end.number):
        return end
    end.close()
    return None


def main(pid: int) -> None:
    """Look until the process has ended, or says that it needs no more."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    watch, told = Watch(pid, time.monotonic), False
    while not select.select([process], [], [], LOOK_SECONDS)[0]:
        if os.fstat(beside.MEMORY).st_size:
            return
        with contextlib.suppress(OSError):  # it has just ended
            report = watch.look()
            if report is not None:
                text = f"{report.headline}\n" if told else words.text(report)
                sys.stderr.write(f"gilscope: {text}gilscope: {HOW_TO_END}")
                sys.stderr.flush()
                told = True
