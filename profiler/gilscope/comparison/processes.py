"""One trace of a program and of the processes that it made."""

from __future__ import annotations

from shutil import copymode
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError
from gilscope.trace.reading.family import find
from gilscope.trace.writing.merge import merge

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.writing.merge import Process


def with_children(path: Path, notices: list[str]) -> tuple[Path, tuple[Process, ...]]:
    """Return the trace of a program together with its child processes, and what these are.

    Its own threads keep their names; those of its children are named after their process, which
    are numbered by their start. A program that made none has the trace that it has.

    Args:
        path: The program's own trace; those of its children are beside it. They are left alone.
        notices: Takes a line if a timeline can only be that of the program itself.
    """
    merged = path.with_name(f"all-{path.name}")
    try:
        family = find(path)
        if len(family) == 1:
            return path, ()
        children = [one for one in family if one != path]
        names = ["", *(f"process {number}" for number in range(1, len(family)))]
        processes = merge([path, *children], merged, names=names).processes[1:]
        copymode(path, merged)
    except GilscopeError as error:
        notices.append(f"the timeline is without the processes that the program made: {error}")
        return path, ()
    return merged, processes
