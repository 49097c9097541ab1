"""Forked children: where they come from, and who in the parent takes a lock that hangs them."""

from __future__ import annotations

import time
from pathlib import Path

from gilscope.errors import GilscopeError
from gilscope.target.hangs.picture import Picture, own_frame
from gilscope.target.hangs.process import Process, field
from gilscope.target.hangs.waits import owned_locks

LOOKS, PAUSE_SECONDS = 8, 0.02
"""How often the parent is looked at for a thread that has the lock at that moment."""


def fork_of(picture: Picture) -> tuple[int, str] | None:
    """Return the process that this one was forked from without an exec, and where; else None.

    A child that multiprocessing forked still has the frames that its parent forked in. Any other
    one is told by its program and arguments, which are its parent's.
    """
    process = picture.process
    status = (process.path / "status").read_text(errors="replace")
    parent = int(field(status, "PPid") or 0)
    main = picture.threads.get(process.pid)
    stack = main.python if main else []
    for depth, frame in enumerate(stack):
        if frame.name == "Popen._launch" and "popen_fork" in frame.file:
            outer = own_frame(stack[depth:])
            return parent, f"{Path(outer.file).name}:{outer.line}" if outer else ""
    return (parent, "") if _is_copy(process.path, Path(f"/proc/{parent}")) else None


def _is_copy(child: Path, parent: Path) -> bool:
    try:
        same = (child / "cmdline").read_bytes() == (parent / "cmdline").read_bytes()
        return same and (child / "exe").readlink() == (parent / "exe").readlink()
    except OSError:
        return False


def taker_in_parent(parent: int, lock: int) -> str:
    """Say which thread of the parent has the same lock now and then; "" if none is seen to.

    A forked child has the lock at the same address.
    """
    for _ in range(LOOKS):
        try:
            with Process(parent) as process:
                picture = Picture(process)
                for thread in picture.threads.values():
                    frame = owned_locks(picture, thread).get(lock)
                    if frame is not None:
                        return (
                            f" ({thread.name} of the parent takes it, at "
                            f"{Path(frame.file).name}:{frame.line})"
                        )
        except (GilscopeError, OSError):
            pass
        time.sleep(PAUSE_SECONDS)
    return ""
