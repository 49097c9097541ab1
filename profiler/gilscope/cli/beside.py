"""The same for each of several traces, on all processors."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gilscope.cli.memory import bounded, limit
from gilscope.target.recording.environment import SWITCH
from gilscope.trace.limited_memory import LEAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SMALL = 64 << 20
"""Bytes of a trace up to which another process reads it: results of larger ones take too long to
pass on, and too much memory."""

WORTH = 32 << 20
"""Bytes of all small traces together from which on processes pay."""


def each[T](
    function: Callable[[Path, Any], T], paths: Sequence[Path], argument: Any
) -> Iterator[T]:
    """Yield the function's result for each trace, in their order.

    Args:
        function: Of a module; takes a path and the argument, which can be pickled, as its result.
        paths: Of the traces.
        argument: The same for all.

    Raises:
        Exception: What the function raises.
    """
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    small = [path for path, size in zip(paths, sizes, strict=True) if size <= SMALL]
    most = limit()
    workers = min(os.process_cpu_count() or 1, len(small))
    if most is not None:
        # This process keeps a part for itself.
        workers = min(workers, most // LEAST - 1)
    if workers < 2 or sum(size for size in sizes if size <= SMALL) < WORTH:  # noqa: PLR2004
        yield from (function(path, argument) for path in paths)
        return
    with _pool(workers) as pool:
        share = None if most is None else most // (workers + 1)
        started = {path: pool.submit(_limited, function, path, argument, share) for path in small}
        for path in paths:
            yield started[path].result() if path in started else function(path, argument)


def _limited[T](
    function: Callable[[Path, Any], T], path: Path, argument: Any, share: int | None
) -> T:
    with bounded(share):
        return function(path, argument)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are ended if the block is left by an exception."""
    # They are gilscope's own, too: not recorded.
    os.environ.pop(SWITCH, None)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            yield pool
        except BaseException:
            # The pool then waits for no result any more.
            for child in multiprocessing.active_children():
                child.terminate()
            raise
