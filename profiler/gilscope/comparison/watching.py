"""Runs a program once under each build, watched and not timed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.comparison.interpreters import find_interpreters
from gilscope.config import EXECUTORS
from gilscope.errors import Interrupted, UsageError
from gilscope.runner.arm import Options
from gilscope.runner.arms import watch_arms

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.runner.arm import Arm
    from gilscope.runner.arms import WatchFor
    from gilscope.target.worker.program import Target


def watched_arms(
    target: Target,
    watch_for: WatchFor,
    *,
    refusal: str,
    builds: Sequence[str],
    pythons: Mapping[str, str | os.PathLike[str]] | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> tuple[list[Arm], tuple[str, ...], str]:
    """Run a program once under each build.

    Args:
        target: The program.
        watch_for: What is watched.
        refusal: What is said of builds whose workers share nothing.
        builds: ``gil``, ``ft`` or both.
        pythons: Interpreters by the keys of ``config.PYTHON_OPTIONS``; by default they are looked
            for.
        progress: Takes a line about what is done next.
        **options: Others of `gilscope.runner.arm.Options`.

    Returns:
        The arms, lines that a reader must see, and what the program printed to standard error under
        the first build.

    Raises:
        UsageError: A build shares nothing between its workers.
        InterpreterError: No interpreter can be used.
        TargetError: There is no such program.
        Interrupted: It was interrupted.
    """
    if found := [build for build in builds if build in EXECUTORS]:
        raise UsageError(f"in {' and '.join(found)} {refusal}")
    interpreters, notices = find_interpreters(builds, pythons or {}, progress)
    chosen = Options(progress=progress, **options)
    with tempfile.TemporaryDirectory(prefix=".gilscope-") as folder:
        try:
            arms = watch_arms(target, interpreters, Path(folder), chosen, watch_for)
        except KeyboardInterrupt:
            raise Interrupted(None) from None
    first = (arms[0].watched or arms[0].ordered) if arms else None
    stderr = first.stderr if first else ""
    return arms, tuple(notices), stderr
