"""A progress bar on the terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORTH_A_BAR = 200_000  # intervals; fewer are done at once


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress on stderr if that is a terminal; the bar disappears at the end.

    Args:
        what: is being done.
        total: intervals in all.

    Yields:
        To be called with each so many intervals that are done.
    """
    if total < WORTH_A_BAR:
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - loaded on demand
    from rich.progress import Progress  # noqa: PLC0415 - loaded on demand

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)
