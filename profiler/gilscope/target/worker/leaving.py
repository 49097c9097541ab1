"""Programs that end by ``os._exit``, which runs nothing of what should come last."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def at_exit_at_once(do: Callable[[int], int]) -> Iterator[None]:
    """Call ``do`` when the program ends this process by ``os._exit`` while the block runs.

    Children that it forked end as ever.

    Args:
        do: Takes the exit status and returns the one to end with.
    """
    leave, process, ended = os._exit, os.getpid(), False

    def _exit(status: int) -> NoReturn:
        if os.getpid() == process and not ended:
            status = do(status)
        leave(status)

    os._exit = _exit
    try:
        yield
    finally:
        ended = True  # an exit handler may be this very function
        os._exit = leave
