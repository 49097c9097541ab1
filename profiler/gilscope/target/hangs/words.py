"""A report as text for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.hangs.explain import Report, ThreadReport

MOST_FRAMES = 40
MOST_NAME = 120

type Lines = Callable[[str, int], tuple[str, int]]
"""File and line of an offset in an object; ("", 0) if unknown."""


def text(report: Report, lines: Lines | None = None) -> str:
    """Return headline, advice and all stacks."""
    parts = [report.headline] if report.headline else []
    if report.advice:
        parts.append(f"    do: {report.advice}")
    head = "\n".join(parts)
    stacks = [_thread(thread, lines) for thread in report.threads]
    intro = f"Threads of process {report.pid} (Python {report.version}), most recent call last:"
    return "\n\n".join([*([head] if head else []), intro, *stacks]) + "\n"


def _thread(thread: ThreadReport, lines: Lines | None) -> str:
    rows = [f"{thread.doing} (thread {thread.tid}):"]
    python = [
        f'  File "{file}", line {line}, in {name}'
        for file, line, name in thread.python[:MOST_FRAMES]
    ]
    native = [_native(frame, lines) for frame in _told(thread.native)]
    if thread.mixed:
        mixed = [
            f'  File "{file}", line {line}, in {name}'
            if line
            else f"  {Path(file).name}, in {name}"
            for file, line, name in thread.mixed[:MOST_FRAMES]
        ]
        return "\n".join([*rows, *reversed(mixed)])
    if not python and not native:
        rows.append("  its stack cannot be read while it runs")
    return "\n".join([*rows, *reversed(python), *reversed(native)])


def _told(native: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Leave the interpreter's own frames out: the Python stack says the same."""
    kept = [f for f in native if not Path(f[0]).name.startswith(("python", "libpython"))]
    return kept[:MOST_FRAMES]


def _native(frame: tuple[str, int, str], lines: Lines | None) -> str:
    path, offset, function = frame
    name = function if len(function) <= MOST_NAME else function[: MOST_NAME - 1] + "…"
    file, line = lines(path, offset) if lines else ("", 0)
    where = f" at {file}:{line}" if file else ""
    return f"  Native {Path(path).name}, in {name or f'{offset:#x}'}{where}"
