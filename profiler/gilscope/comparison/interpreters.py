"""Finds the interpreters of the builds that are asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gilscope.config import INTERPRETERS
from gilscope.errors import InterpreterError
from gilscope.runner.interpreters import find
from gilscope.runner.provisioning import provide

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.runner.interpreters import Interpreter


def find_interpreters(
    builds: Sequence[str],
    pythons: Mapping[str, str | os.PathLike[str]],
    progress: Callable[[str], None] | None,
) -> tuple[list[Interpreter], list[str]]:
    """Find the interpreters; what is missing is a notice as long as one is there, and said at once.

    Raises:
        InterpreterError: None can be used, or one that was named cannot.
    """
    wanted = dict.fromkeys(INTERPRETERS[build] for build in builds)
    make = partial(provide, say=progress)
    found = {name: find(name, pythons.get(name), make) for name in wanted}
    missing = [discovery.advice for discovery in found.values() if discovery.interpreter is None]
    interpreters = [
        replace(interpreter, build=build)
        for build in builds
        if (interpreter := found[INTERPRETERS[build]].interpreter)
    ]
    if not interpreters:
        raise InterpreterError("; ".join(missing))
    if progress:
        for notice in missing:
            progress(f"{notice}\n")
    return interpreters, missing
